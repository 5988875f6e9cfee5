import { parseStartArguments } from './arguments.js';
import { productEnvironment } from './product-environment.js';
import { layOutState } from './state-directory.js';

const secrets = {
  instanceId: 'instance-1',
  adminSecret: 'admin-secret',
  s3AccessKey: 'access',
  s3SecretKey: 'secret',
  payloadKey: 'payload',
  credentialKeys: '1:key',
};
const infrastructure = {
  dockerHost: 'unix:///state/docker.sock',
  databaseUrl: 'postgres://berth@localhost/berth?host=%2Fstate',
  temporal: { address: '127.0.0.1:7233', uiUrl: undefined, namespace: 'default' },
  objectStorage: {
    endpoint: 'http://127.0.0.1:9000',
    region: 'us-east-1',
    bucket: 'berth',
    accessKey: 'access',
    secretKey: 'secret',
  },
  runnerDirectory: '/cache/runner',
  baseImage: 'berth/base:1',
};
const ports = {
  apiPort: 3000,
  workerStreamPort: 3100,
  workerHealthPort: 3101,
};

describe('the environment of worker and API', () => {
  function build(environment: NodeJS.ProcessEnv) {
    const options = parseStartArguments([], {});
    const context = { environment, secrets, options, state: layOutState('/state', '/') };
    return productEnvironment(context, infrastructure, ports);
  }

  it('gives the Docker socket to the worker and never to the API', () => {
    const { worker, api } = build({
      DOCKER_HOST: 'tcp://elsewhere:2375',
      DOCKER_CERT_PATH: '/certs',
    });
    expect(worker['DOCKER_HOST']).toBe('unix:///state/docker.sock');
    expect(Object.keys(api).filter((name) => name.startsWith('DOCKER_'))).toEqual([]);
  });

  it('passes on what it does not decide, and none of npm', () => {
    const { api } = build({ BERTH_FUTURE: 'x', npm_config_cache: 'y', LOG_LEVEL: 'debug' });
    expect(api).toMatchObject({ BERTH_FUTURE: 'x', LOG_LEVEL: 'debug', BERTH_ADMIN_SECRET: 'admin-secret' });
    expect(api).not.toHaveProperty('npm_config_cache');
  });
});
