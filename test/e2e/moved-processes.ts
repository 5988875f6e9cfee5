import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runningStack } from '../stack/running-stack.js';
import { pidOf } from './processes.js';
import { until } from './until.js';

const PRELOAD = fileURLToPath(new URL('../stack/moved-clock.mjs', import.meta.url));
const MOVED = ['api', 'worker'] as const;

interface Described {
  readonly name: (typeof MOVED)[number];
  readonly pid: number;
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

const listOf = (pid: number, file: 'cmdline' | 'environ'): string[] =>
  readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0').slice(0, -1);

function describe(name: Described['name']): Described {
  const pid = pidOf(name);
  const env = listOf(pid, 'environ').map((entry) => {
    const at = entry.indexOf('=');
    return [entry.slice(0, at), entry.slice(at + 1)] as const;
  });
  return { name, pid, command: listOf(pid, 'cmdline'), env: Object.fromEntries(env) };
}

/**
 * API and worker on a clock that is moved. The launcher sleeps meanwhile, so that it does not start its own ones again;
 * when it wakes it finds them gone, and does.
 */
export class MovedProcesses {
  private readonly supervisorPid = (
    runningStack() as unknown as { readonly supervisor: { readonly pid: number } }
  ).supervisor.pid;
  private readonly described = MOVED.map(describe);
  private children: ChildProcess[] = [];

  /** Ends those that run, and starts others whose clock is off by so much. */
  async start(movedMs: number): Promise<void> {
    process.kill(this.supervisorPid, 'SIGSTOP');
    await this.end(this.children.length === 0 ? this.described.map(({ pid }) => pid) : this.childPids());
    this.children = this.described.map(({ name, command: [program = '', ...args], env }) => {
      const log = openSync(join(runningStack().stateDir, 'logs', `${name}-moved.log`), 'a');
      const moved = { NODE_OPTIONS: `--import ${PRELOAD}`, MOVED_CLOCK_MS: String(movedMs) };
      const child = spawn(program, args, { env: { ...env, ...moved }, stdio: ['ignore', log, log] });
      closeSync(log);
      return child;
    });
  }

  /** The launcher starts its own ones again. */
  async stop(): Promise<void> {
    await this.end(this.childPids());
    process.kill(this.supervisorPid, 'SIGCONT');
    await until(
      () => this.described.map(({ name, pid }) => (runningStack().processes[name]?.pid ?? pid) !== pid),
      (areNew) => areNew.every((isNew) => isNew),
    );
  }

  private childPids(): number[] {
    return this.children.flatMap(({ pid }) => pid ?? []);
  }

  private async end(pids: readonly number[]): Promise<void> {
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await until(
      () => pids.filter((pid) => !isOver(pid)),
      (left) => left.length === 0,
    );
  }
}

/** A child of the launcher stays a zombie for as long as that sleeps. */
function isOver(pid: number): boolean {
  try {
    return /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}
