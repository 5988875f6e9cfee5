import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_DOCKER_HOST, pingEngine } from './engine-client.js';
import { openLog, tailOfLog } from './log-file.js';
import { pollUntil } from './pause.js';
import type { Reporter } from './reporter.js';
import { livingSupervisor, readRunFile, type RunState } from './run-file.js';
import { removeInstance } from './sandbox-containers.js';
import { layOutState, type StateDirectory } from './state-directory.js';
import { stopInstance } from './stop.js';
import { unmountBelow } from './unmount.js';

/** Outside of the range from which the system takes the ports of outgoing connections, so that a restarted server gets its port back. */
const PORT_BASE = 21_000;
const START_TIMEOUT_MS = 20 * 60 * 1000;
const LOOK_INTERVAL_MS = 100;
const TAIL_LINES = 30;
const LIVE_STATE_DIRECTORY = '.berth';

export interface TestStackOptions {
  readonly root: string;
  readonly state: StateDirectory;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  /** Without worker and API. */
  readonly onlyInfra: boolean;
}

/** Starts an instance as a user does, by the start script, and waits until it is ready. */
export async function startTestStack(options: TestStackOptions): Promise<RunState> {
  const { root, state, signal } = options;
  const logPath = join(state.logs, 'start.log');
  mkdirSync(state.logs, { recursive: true, mode: 0o700 });
  const dockerHost = await findEngine(root);
  const args = ['--state-dir', state.root, '--port-base', String(PORT_BASE), '--no-demo', '--verbose'];
  if (options.onlyInfra) args.push('--only', 'infra');
  const log = openLog(logPath);
  const child = spawn(process.execPath, [join(root, 'scripts/start.mjs'), ...args], {
    cwd: root,
    detached: true,
    stdio: ['ignore', log, log],
    env: {
      ...process.env,
      ...gitOfTests(root),
      ...(dockerHost === undefined ? {} : { DOCKER_HOST: dockerHost }),
    },
  });
  closeSync(log);
  child.unref();
  let exit: string | undefined;
  void once(child, 'exit').then(([code, killedBy]) => (exit = String(code ?? killedBy)));
  const isDecided = await pollUntil(() => exit !== undefined || readyRun(state) !== undefined, {
    timeoutMs: START_TIMEOUT_MS,
    intervalMs: LOOK_INTERVAL_MS,
    signal,
  });
  const run = readyRun(state);
  if (isDecided && exit === undefined && run !== undefined) return run;
  const reason =
    exit === undefined ? `is not ready after ${START_TIMEOUT_MS / 1000} s` : `ended with ${exit}`;
  throw new Error(
    [`npm start ${reason}. From ${logPath}:`, ...tailOfLog(logPath, TAIL_LINES)].join('\n    '),
  );
}

/** The git server of the tests is on this machine, and its certificate is of an authority of its own. */
function gitOfTests(root: string): NodeJS.ProcessEnv {
  return {
    BERTH_GIT_CA_FILE: join(root, 'test/git/ca.pem'),
    BERTH_GIT_ALLOWED_NETWORKS: '10.0.0.0/8,172.16.0.0/12,192.168.0.0/16',
  };
}

/** Ends what the tests have started, with all that they have left in an engine that is not theirs. */
export async function tearDown(state: StateDirectory, reporter: Reporter): Promise<void> {
  const run = readRunFile(state.runFile);
  if (run === undefined) return;
  await stopInstance(state, true, reporter);
  if (
    run.dockerHost !== undefined &&
    run.processes.dockerd === undefined &&
    (await answers(run.dockerHost))
  ) {
    await removeInstance(run.dockerHost, run.instanceId);
  }
}

/** Empties the state directory of an earlier test run. */
export async function wipe(state: StateDirectory, reporter: Reporter): Promise<void> {
  if (!existsSync(state.root)) return;
  await tearDown(state, reporter);
  for (const directory of new Set([state.root, state.sockets])) {
    await unmountBelow(directory);
    rmSync(directory, { recursive: true, force: true });
  }
}

function readyRun(state: StateDirectory): RunState | undefined {
  const run = readRunFile(state.runFile);
  return run?.phase === 'ready' && livingSupervisor(run) !== undefined ? run : undefined;
}

/** The engine that the tests use: the named one, the machine's, that of a live instance of this checkout, or else one of their own. */
async function findEngine(root: string): Promise<string | undefined> {
  if (process.env['DOCKER_HOST']) return process.env['DOCKER_HOST'];
  const live = readRunFile(layOutState(LIVE_STATE_DIRECTORY, root).runFile)?.dockerHost;
  for (const dockerHost of [DEFAULT_DOCKER_HOST, live]) {
    if (dockerHost !== undefined && (await answers(dockerHost))) return dockerHost;
  }
  return undefined;
}

async function answers(dockerHost: string): Promise<boolean> {
  return pingEngine(dockerHost).then(
    () => true,
    () => false,
  );
}
