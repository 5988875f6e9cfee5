import { join } from 'node:path';
import type { LaunchContext } from './context.js';
import { runDemo } from './demo.js';
import { productEnvironment, type ProductPorts } from './product-environment.js';
import { probeHttp } from './probes.js';
import type { RunFile } from './run-file.js';
import type { Infrastructure } from './infrastructure.js';
import { errorText, SetupInterrupted } from './setup-problem.js';

const WORKER_STREAM_PORT = 3100;
const WORKER_HEALTH_PORT = 3101;
const LOOPBACK = '127.0.0.1';
const READY_TIMEOUT_MS = 90_000;
/** A draining API tells its clients to reconnect; a stopping worker detaches from running commands. */
const API_STOP_TIMEOUT_MS = 15_000;
const WORKER_STOP_TIMEOUT_MS = 30_000;
const HTTP_OK = 200;

/** Brings up what is Berth itself, on components that already answer. Returns the API's address. */
export async function bringUpProduct(
  context: LaunchContext,
  infrastructure: Infrastructure,
  ports: ProductPorts,
  runFile: RunFile,
): Promise<string> {
  const env = productEnvironment(context, infrastructure, ports);
  const [apiUrl] = await Promise.all([
    startApi(context, env.api, ports.apiPort),
    startWorker(context, env.worker, ports),
  ]);
  runFile.update({ phase: 'ready', apiUrl });
  await tryDemo(context, apiUrl);
  return apiUrl;
}

/** A first command that fails is told and looked into; it is no reason to end everything else. */
async function tryDemo(context: LaunchContext, apiUrl: string): Promise<void> {
  try {
    await runDemo(context, apiUrl);
  } catch (error) {
    if (error instanceof SetupInterrupted) throw error;
    const logs = `${context.supervisor.logPath('api')} and ${context.supervisor.logPath('worker')}`;
    context.reporter.note('first command', `${errorText(error)}; see ${logs}. Berth goes on.`);
  }
}

export async function chooseProductPorts(context: LaunchContext): Promise<ProductPorts> {
  const { apiHost, apiPort, portBase, strictPorts } = context.options;
  const { ports } = context;
  const choose = (name: string, host: string, preferred: number) =>
    ports.choose({ name, host, preferred, strict: strictPorts });
  return {
    apiPort: await choose('the API', apiHost, apiPort),
    workerStreamPort: await choose("the worker's stream port", LOOPBACK, portBase ?? WORKER_STREAM_PORT),
    workerHealthPort: await choose("the worker's health port", LOOPBACK, portBase ?? WORKER_HEALTH_PORT),
  };
}

async function startWorker(
  context: LaunchContext,
  env: NodeJS.ProcessEnv,
  ports: ProductPorts,
): Promise<void> {
  await context.reporter.step('worker', async () => {
    const verb = await context.supervisor.bringUp(
      {
        name: 'worker',
        command: [process.execPath, join(context.root, 'dist/apps/worker/src/main.js')],
        env,
        cwd: context.root,
        prepare: async () => {
          await context.ports.release(ports.workerStreamPort);
          await context.ports.release(ports.workerHealthPort);
        },
        probe: () =>
          probeHttp(`http://${LOOPBACK}:${ports.workerHealthPort}/health`, (status) => status === HTTP_OK),
        readyTimeoutMs: READY_TIMEOUT_MS,
        stopSignal: 'SIGTERM',
        stopTimeoutMs: WORKER_STOP_TIMEOUT_MS,
      },
      context.signal,
    );
    return { verb, detail: '', value: undefined };
  });
}

async function startApi(context: LaunchContext, env: NodeJS.ProcessEnv, port: number): Promise<string> {
  const { apiHost } = context.options;
  const isWildcard = apiHost === '0.0.0.0' || apiHost === '::';
  const url = `http://${isWildcard ? LOOPBACK : apiHost.includes(':') ? `[${apiHost}]` : apiHost}:${port}`;
  return context.reporter.step('api', async () => {
    const verb = await context.supervisor.bringUp(
      {
        name: 'api',
        command: [process.execPath, join(context.root, 'dist/apps/api/src/main.js')],
        env,
        cwd: context.root,
        port,
        prepare: () => context.ports.release(port),
        probe: () => probeHttp(`${url}/health/ready`, (status) => status === HTTP_OK),
        readyTimeoutMs: READY_TIMEOUT_MS,
        stopSignal: 'SIGTERM',
        stopTimeoutMs: API_STOP_TIMEOUT_MS,
      },
      context.signal,
    );
    return { verb, detail: url, value: url };
  });
}
