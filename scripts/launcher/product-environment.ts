import { plainEnvironment, type LaunchContext } from './context.js';
import type { Infrastructure } from './infrastructure.js';

export interface ProductPorts {
  readonly apiPort: number;
  readonly workerStreamPort: number;
  readonly workerHealthPort: number;
}

/**
 * The whole configuration that worker and API get. The API gets no DOCKER_HOST: it never holds the Docker socket.
 * What is already set in the environment of `npm start` and is not decided here is passed on.
 */
export function productEnvironment(
  context: Pick<LaunchContext, 'environment' | 'secrets' | 'state' | 'options'>,
  infrastructure: Infrastructure,
  ports: ProductPorts,
): { worker: NodeJS.ProcessEnv; api: NodeJS.ProcessEnv } {
  const { environment, secrets, state, options } = context;
  const { objectStorage, temporal } = infrastructure;
  const inherited = plainEnvironment(environment);
  for (const name of Object.keys(inherited)) if (name.startsWith('DOCKER_')) delete inherited[name];
  const shared = {
    ...inherited,
    BERTH_INSTANCE_ID: secrets.instanceId,
    BERTH_STATE_DIR: state.root,
    BERTH_ADMIN_SECRET: secrets.adminSecret,
    BERTH_CREDENTIAL_KEYS: secrets.credentialKeys,
    BERTH_HOST_ID: environment['BERTH_HOST_ID'] || 'local',
    BERTH_BASE_IMAGE: infrastructure.baseImage,
    DATABASE_URL: infrastructure.databaseUrl,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
    S3_ENDPOINT: objectStorage.endpoint,
    S3_REGION: objectStorage.region,
    S3_BUCKET: objectStorage.bucket,
    S3_ACCESS_KEY: objectStorage.accessKey,
    S3_SECRET_KEY: objectStorage.secretKey,
    BERTH_STREAM_PORT: String(ports.workerStreamPort),
    LOG_LEVEL: environment['LOG_LEVEL'] || 'info',
  };
  const worker = {
    ...shared,
    BERTH_WORKER_ROLES: environment['BERTH_WORKER_ROLES'] || 'control,host',
    BERTH_WORKER_HEALTH_PORT: String(ports.workerHealthPort),
    BERTH_RUNNER_DIR: infrastructure.runnerDirectory,
    DOCKER_HOST: infrastructure.dockerHost,
  };
  const api = { ...shared, BERTH_API_HOST: options.apiHost, BERTH_API_PORT: String(ports.apiPort) };
  return { worker, api };
}
