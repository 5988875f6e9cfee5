import type Docker from 'dockerode';

const TLS_PORT = '2376';
const PLAIN_PORT = '2375';

/** Options of the client for an address in the form of DOCKER_HOST: unix:///path, tcp://, http://, https://, ssh://. */
export function engineAddress(dockerHost: string): Docker.DockerOptions {
  if (dockerHost.startsWith('unix://')) return socketAt(dockerHost.slice('unix://'.length));
  if (dockerHost.startsWith('/')) return socketAt(dockerHost);
  const { protocol, hostname, port, username } = new URL(dockerHost);
  switch (protocol) {
    case 'ssh:':
      return { host: hostname, port: port || '22', protocol: 'ssh', username };
    case 'tcp:':
    case 'http:':
      return port === TLS_PORT
        ? { host: hostname, port, protocol: 'https' }
        : { host: hostname, port: port || PLAIN_PORT, protocol: 'http' };
    case 'https:':
      return { host: hostname, port: port || TLS_PORT, protocol: 'https' };
    default:
      throw new TypeError(`Not an address of a Docker engine: ${protocol}//…`);
  }
}

/** The client mixes DOCKER_HOST of its own environment into what it is given, so the host is named as absent. */
function socketAt(socketPath: string): Docker.DockerOptions {
  return { socketPath, host: undefined, protocol: 'http' };
}
