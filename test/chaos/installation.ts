import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Engine } from './engine.js';
import { pause, until } from './pause.js';

const START_TIMEOUT_MS = 20 * 60_000;
const STOP_TIMEOUT_MS = 180_000;
const LOOK_INTERVAL_MS = 200;
const LOG_TAIL_CHARACTERS = 3_000;
const OWN_STATE_DIRECTORY = '.berth-chaos';

/** What run.json says, as far as it is needed here. */
interface Run {
  readonly phase: string;
  readonly apiUrl: string;
  readonly dockerHost: string;
  readonly instanceId: string;
  readonly temporalUiUrl?: string;
  readonly supervisor: { readonly pid: number };
  readonly processes: Readonly<Record<string, { readonly pid: number } | undefined>>;
}

/** A running Berth: where it answers, and which processes it has. Read again at each question, as they change with each kill. */
export class Installation {
  readonly adminSecret: string;
  readonly engine: Engine;

  constructor(
    readonly stateDirectory: string,
    private readonly remove: () => Promise<void>,
  ) {
    this.adminSecret = (
      readJson(join(stateDirectory, 'secrets.json')) as { adminSecret: string }
    ).adminSecret;
    this.engine = new Engine(this.run.dockerHost);
  }

  get apiUrl(): string {
    return this.run.apiUrl;
  }

  get instanceId(): string {
    return this.run.instanceId;
  }

  get temporalUiUrl(): string | undefined {
    return this.run.temporalUiUrl;
  }

  /** The names of the processes that belong to it: a part that it has only found, such as the machine's engine, is none. */
  get components(): string[] {
    return Object.keys(this.run.processes);
  }

  pidOf(component: string): number | undefined {
    return this.run.processes[component]?.pid;
  }

  async isReady(): Promise<boolean> {
    try {
      const answer = await fetch(new URL('/health/ready', this.apiUrl), {
        signal: AbortSignal.timeout(5_000),
      });
      return answer.ok;
    } catch {
      return false;
    }
  }

  async end(): Promise<void> {
    await this.remove();
  }

  private get run(): Run {
    return readJson(join(this.stateDirectory, 'run.json')) as Run;
  }
}

/** One that somebody has started. It is left running. */
export function openInstallation(directory: string): Installation {
  const stateDirectory = resolve(directory);
  if (!existsSync(join(stateDirectory, 'run.json'))) {
    throw new Error(`${stateDirectory} has no run.json: nothing of Berth has been started there.`);
  }
  return new Installation(stateDirectory, () => Promise.resolve());
}

/** One of our own, started as a user does, with an engine of its own so that nobody else is hurt. */
export async function startInstallation(
  root: string,
  options: { readonly portBase: number; readonly keep: boolean },
): Promise<Installation> {
  const stateDirectory = join(root, OWN_STATE_DIRECTORY);
  await removeInstallation(root, stateDirectory);
  mkdirSync(stateDirectory, { mode: 0o700 });
  const logPath = join(stateDirectory, 'start.log');
  const log = openSync(logPath, 'a');
  const { DOCKER_HOST: _, ...environment } = process.env;
  const start = spawn(
    process.execPath,
    [
      join(root, 'scripts/start.mjs'),
      '--state-dir',
      stateDirectory,
      '--port-base',
      String(options.portBase),
      '--own-engine',
      '--no-demo',
    ],
    { cwd: root, detached: true, stdio: ['ignore', log, log], env: environment },
  );
  closeSync(log);
  start.unref();
  const isUp = await until(
    () => start.exitCode !== null || phaseOf(stateDirectory) === 'ready',
    START_TIMEOUT_MS,
    LOOK_INTERVAL_MS,
  );
  if (!isUp || start.exitCode !== null) {
    const tail = readFileSync(logPath, 'utf8').slice(-LOG_TAIL_CHARACTERS);
    throw new Error(`npm start did not become ready. From ${logPath}:\n${tail}`);
  }
  return new Installation(stateDirectory, async () => {
    if (!options.keep) await removeInstallation(root, stateDirectory);
  });
}

async function removeInstallation(root: string, stateDirectory: string): Promise<void> {
  if (!existsSync(stateDirectory)) return;
  if (existsSync(join(stateDirectory, 'run.json'))) {
    const stop = ['scripts/stop.mjs', '--state-dir', stateDirectory, '--all'];
    execFileSync(process.execPath, stop, { cwd: root, stdio: 'ignore', timeout: STOP_TIMEOUT_MS });
  }
  for (const mount of mountsBelow(stateDirectory)) execFileSync('umount', ['-l', mount]);
  // The shims of killed containers end a moment after their engine.
  await pause(LOOK_INTERVAL_MS);
  rmSync(stateDirectory, { recursive: true, force: true, maxRetries: 5 });
}

/** The deepest first. */
function mountsBelow(directory: string): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((mount) => mount.startsWith(`${directory}/`))
    .toSorted((a, b) => b.length - a.length);
}

function phaseOf(stateDirectory: string): string | undefined {
  const path = join(stateDirectory, 'run.json');
  return existsSync(path) ? (readJson(path) as Run).phase : undefined;
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}
