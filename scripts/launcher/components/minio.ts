import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { plainEnvironment, type LaunchContext } from '../context.js';
import { findExecutable } from '../executables.js';
import { buildTool, findBuiltTool, MINIO_TOOL } from '../go-tools.js';
import { probeHttp } from '../probes.js';
import type { SayProgress, StepResult } from '../reporter.js';
import { errorText, SetupProblem } from '../setup-problem.js';

const PORT = 9000;
const HOST = '127.0.0.1';
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
const HTTP_OK = 200;

export interface ObjectStoragePlace {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** Makes object storage answer: the S3 named by S3_ENDPOINT, or a MinIO of our own. */
export async function bringUpObjectStorage(
  context: LaunchContext,
  say: SayProgress,
): Promise<StepResult<ObjectStoragePlace>> {
  const { environment, secrets } = context;
  const shared = {
    region: environment['S3_REGION'] || 'us-east-1',
    bucket: environment['S3_BUCKET'] || 'berth',
  };
  const named = environment['S3_ENDPOINT'];
  if (named !== undefined && named !== '') return useNamedStorage(named, shared, environment);
  const existing = findExecutable('minio') ?? (await findBuiltTool(MINIO_TOOL, buildPlace(context)));
  const program = existing ?? (await buildTool(MINIO_TOOL, buildPlace(context), say));
  const port = await choosePort(context);
  const endpoint = `http://${HOST}:${port}`;
  const dataDirectory = join(context.state.root, 'minio');
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  const verb = await context.supervisor.bringUp(
    {
      name: 'minio',
      command: [program, 'server', '--quiet', '--address', `${HOST}:${port}`, dataDirectory],
      env: {
        ...plainEnvironment(environment),
        MINIO_ROOT_USER: secrets.s3AccessKey,
        MINIO_ROOT_PASSWORD: secrets.s3SecretKey,
        MINIO_BROWSER: 'off',
        MINIO_UPDATE: 'off',
      },
      cwd: context.state.root,
      port,
      prepare: () => context.ports.release(port),
      probe: () => probeHttp(`${endpoint}/minio/health/live`, (status) => status === HTTP_OK),
      readyTimeoutMs: READY_TIMEOUT_MS,
      stopSignal: 'SIGTERM',
      stopTimeoutMs: STOP_TIMEOUT_MS,
    },
    context.signal,
  );
  const value = { ...shared, endpoint, accessKey: secrets.s3AccessKey, secretKey: secrets.s3SecretKey };
  return {
    verb: existing === undefined && verb === 'started' ? 'built' : verb,
    detail: `at ${endpoint}`,
    value,
  };
}

async function useNamedStorage(
  endpoint: string,
  shared: { region: string; bucket: string },
  environment: NodeJS.ProcessEnv,
): Promise<StepResult<ObjectStoragePlace>> {
  const accessKey = environment['S3_ACCESS_KEY'];
  const secretKey = environment['S3_SECRET_KEY'];
  if (!accessKey || !secretKey) {
    throw new SetupProblem(
      'S3_ENDPOINT is set without S3_ACCESS_KEY and S3_SECRET_KEY.',
      'sealed output is written to that storage.',
      'set both, or unset S3_ENDPOINT to let Berth start a storage of its own',
    );
  }
  try {
    await probeHttp(endpoint);
  } catch (error) {
    throw new SetupProblem(
      `The object storage of S3_ENDPOINT=${endpoint} does not answer: ${errorText(error)}.`,
      'results are kept there after their sandbox is gone.',
      'start it, or unset S3_ENDPOINT to let Berth start a storage of its own',
    );
  }
  return { verb: 'found', detail: endpoint, value: { ...shared, endpoint, accessKey, secretKey } };
}

async function choosePort(context: LaunchContext): Promise<number> {
  const kept = context.supervisor.leftover('minio')?.port;
  if (kept !== undefined) {
    context.ports.reserve(kept);
    return kept;
  }
  const { portBase, strictPorts } = context.options;
  return context.ports.choose({
    name: 'MinIO',
    host: HOST,
    preferred: portBase ?? PORT,
    strict: strictPorts,
  });
}

function buildPlace(context: LaunchContext) {
  return {
    root: context.root,
    cache: context.cache,
    logDirectory: context.state.logs,
    verbose: context.options.verbose,
    signal: context.signal,
  };
}
