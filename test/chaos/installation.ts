import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Engine } from './engine.js';
import { OWN_NETWORK } from './own-network.js';
import { pause, until } from './pause.js';
import { startTimeOf } from './processes.js';

const START_TIMEOUT_MS = 20 * 60_000;
const STOP_TIMEOUT_MS = 180_000;
/** Every output is compared at the end, however many there are. */
const OUTPUTS_KEPT = '1000000';
const LOOK_INTERVAL_MS = 200;
const LOG_TAIL_CHARACTERS = 3_000;
const OWN_STATE_DIRECTORY = '.berth-chaos';

/** What run.json says, as far as it is needed here. */
interface Run {
  readonly phase: string;
  readonly apiUrl?: string;
  readonly dockerHost: string;
  readonly instanceId: string;
  readonly databaseUrl: string;
  readonly temporalUiUrl?: string;
  readonly temporalAddress: string;
  readonly s3Endpoint: string;
  readonly supervisor: { readonly pid: number };
  readonly processes: Readonly<Record<string, RunProcess | undefined>>;
}

interface RunProcess {
  readonly pid: number;
  readonly startTime: string;
}

/** What can be done with an installation that is our own. */
interface Ownership {
  readonly start: () => Promise<void>;
  readonly remove: () => Promise<void>;
}

/** A running Berth: where it answers, and which processes it has. Read again at each question, as they change with each kill. */
export class Installation {
  readonly adminSecret: string;
  readonly engine: Engine;
  private readonly parts: readonly string[];
  private lastApiUrl: string;

  constructor(
    readonly stateDirectory: string,
    private readonly ownership?: Ownership,
  ) {
    this.adminSecret = (
      readJson(join(stateDirectory, 'secrets.json')) as { adminSecret: string }
    ).adminSecret;
    this.engine = new Engine(this.run.dockerHost);
    this.parts = this.components;
    this.lastApiUrl = this.run.apiUrl ?? '';
  }

  /** While it starts again after a loss of power, clients ask where it was. */
  get apiUrl(): string {
    this.lastApiUrl = this.run.apiUrl ?? this.lastApiUrl;
    return this.lastApiUrl;
  }

  get instanceId(): string {
    return this.run.instanceId;
  }

  get databaseUrl(): string {
    return this.run.databaseUrl;
  }

  get temporalUiUrl(): string | undefined {
    return this.run.temporalUiUrl;
  }

  /** The names of the processes that belong to it: a part that it has only found, such as the machine's engine, is none. */
  get components(): string[] {
    return Object.keys(this.run.processes);
  }

  /** Of the living: run.json may name one that has just died, and its number may be another's by now. */
  pidOf(component: string): number | undefined {
    const found = this.run.processes[component];
    return found !== undefined && startTimeOf(found.pid) === found.startTime ? found.pid : undefined;
  }

  /** The launcher and everything that it keeps alive. */
  get ownPids(): number[] {
    const { supervisor } = this.run;
    return [supervisor.pid, ...this.components.map((name) => this.pidOf(name))].filter(
      (pid) => pid !== undefined,
    );
  }

  get temporalPort(): number {
    return portOf(`tcp://${this.run.temporalAddress}`);
  }

  get objectStoragePort(): number {
    return portOf(this.run.s3Endpoint);
  }

  /** Ours is alone in its network, so that packets can be dropped there without hurting anybody. */
  get isInOwnNetwork(): boolean {
    return this.ownership !== undefined && process.env[OWN_NETWORK] !== undefined;
  }

  get isOwn(): boolean {
    return this.ownership !== undefined;
  }

  /** As a person does after a power cut. */
  async startAgain(): Promise<void> {
    await this.ownership?.start();
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

  /** Ready, and every part of it there again. */
  async isBack(): Promise<boolean> {
    return this.parts.every((name) => this.pidOf(name) !== undefined) && (await this.isReady());
  }

  async end(): Promise<void> {
    await this.ownership?.remove();
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
  return new Installation(stateDirectory);
}

/** One of our own, started as a user does, with an engine of its own so that nobody else is hurt. */
export async function startInstallation(
  root: string,
  options: { readonly portBase: number; readonly keep: boolean },
): Promise<Installation> {
  const stateDirectory = join(root, OWN_STATE_DIRECTORY);
  await removeInstallation(root, stateDirectory);
  mkdirSync(stateDirectory, { mode: 0o700 });
  const start = (): Promise<void> => launch(root, stateDirectory, options.portBase);
  await start();
  return new Installation(stateDirectory, {
    start,
    remove: async () => {
      if (!options.keep) await removeInstallation(root, stateDirectory);
    },
  });
}

async function launch(root: string, stateDirectory: string, portBase: number): Promise<void> {
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
      String(portBase),
      '--own-engine',
      '--no-demo',
    ],
    {
      cwd: root,
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...environment, ...gitOfTests(root), BERTH_RETENTION_OUTPUTS_MAX: OUTPUTS_KEPT },
    },
  );
  closeSync(log);
  start.unref();
  const isUp = await until(
    () => start.exitCode !== null || isStartedBy(start.pid, stateDirectory),
    START_TIMEOUT_MS,
    LOOK_INTERVAL_MS,
  );
  if (!isUp || start.exitCode !== null) {
    const tail = readFileSync(logPath, 'utf8').slice(-LOG_TAIL_CHARACTERS);
    throw new Error(`npm start did not become ready. From ${logPath}:\n${tail}`);
  }
}

/** The git server of a run is on this machine, and its certificate is of an authority of its own. */
const gitOfTests = (root: string): NodeJS.ProcessEnv => ({
  BERTH_GIT_CA_FILE: join(root, 'test/git/ca.pem'),
  BERTH_GIT_ALLOWED_NETWORKS: '10.0.0.0/8,172.16.0.0/12,192.168.0.0/16',
});

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

/** The file of an earlier start stays until the next one writes its own. */
function isStartedBy(pid: number | undefined, stateDirectory: string): boolean {
  const path = join(stateDirectory, 'run.json');
  if (!existsSync(path)) return false;
  const { phase, supervisor } = readJson(path) as Run;
  return phase === 'ready' && supervisor.pid === pid;
}

const portOf = (address: string): number => Number(new URL(address).port);

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}
