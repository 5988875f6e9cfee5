import Docker from 'dockerode';

const ENGINE_TIMEOUT_MS = 5_000;
const IMPORT_TIMEOUT_MS = 5 * 60 * 1000;
const DEFAULT_SOCKET = '/var/run/docker.sock';
export const DEFAULT_DOCKER_HOST = `unix://${DEFAULT_SOCKET}`;

/** A client for the address in the form of DOCKER_HOST: unix:///path, tcp://host:port or ssh://user@host. */
export function engineClient(dockerHost: string, timeoutMs = ENGINE_TIMEOUT_MS): Docker {
  if (dockerHost.startsWith('unix://'))
    return new Docker({ socketPath: dockerHost.slice('unix://'.length), timeout: timeoutMs });
  const { protocol, hostname, port, username } = new URL(dockerHost);
  const isSsh = protocol === 'ssh:';
  const usesTls = process.env['DOCKER_TLS_VERIFY'] !== undefined;
  return new Docker({
    host: hostname,
    port: port || (isSsh ? 22 : 2375),
    protocol: isSsh ? 'ssh' : usesTls ? 'https' : 'http',
    ...(isSsh && username !== '' ? { username } : {}),
    timeout: timeoutMs,
  });
}

export function importClient(dockerHost: string): Docker {
  return engineClient(dockerHost, IMPORT_TIMEOUT_MS);
}

export async function pingEngine(dockerHost: string): Promise<void> {
  await engineClient(dockerHost).ping();
}

export async function engineVersion(dockerHost: string): Promise<string> {
  const version = await engineClient(dockerHost).version();
  return `${version.Version}, ${version.Os}/${version.Arch}`;
}
