import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningInstance } from './running-instance.js';

export const PROCESS_NAMES = ['api', 'worker', 'runner', 'postgres'] as const;
export type ProcessName = (typeof PROCESS_NAMES)[number];

const RUNNER_PATH = '/berth/bin/runner';
const KIB = 1_024;
/** What the kernel counts processor time in, on every machine that Berth runs on. */
const TICK_MS = 10;

/**
 * Resident bytes as the kernel counts them: of API and worker, of all runner processes in one container (init and the
 * supervisors of its execs), and of Postgres what is not shared, because its shared buffers have a size of their own.
 */
export function residentBytes(instance: RunningInstance, containerId: string): Record<ProcessName, number> {
  const processes = listProcesses();
  return {
    api: sizeOf(instance.pids.api, 'VmRSS'),
    worker: sizeOf(instance.pids.worker, 'VmRSS'),
    runner: sum(runnersIn(containerId, processes).map(({ pid }) => sizeOf(pid, 'VmRSS'))),
    postgres: sum(descendantsOf(instance.pids.postgres, processes).map((pid) => sizeOf(pid, 'RssAnon'))),
  };
}

/** Milliseconds of processor that API, worker and the runners of one container have taken so far. */
export function processorMs(
  instance: RunningInstance,
  containerId: string,
): Readonly<Record<'api' | 'worker' | 'runner', number>> {
  return {
    api: processorOf(instance.pids.api),
    worker: processorOf(instance.pids.worker),
    runner: sum(runnersIn(containerId, listProcesses()).map(({ pid }) => processorOf(pid))),
  };
}

/** Parts of one core: 0.01 is one hundredth of it. */
export type ProcessorShares = Readonly<Record<'api' | 'worker' | 'postgres', number>>;

/** What each of them takes over a while, with what it has started. */
export async function processorShares(instance: RunningInstance, watchMs: number): Promise<ProcessorShares> {
  const begun = sharedMs(instance);
  const begunAt = performance.now();
  await delay(watchMs);
  const ended = sharedMs(instance);
  const tookMs = performance.now() - begunAt;
  return {
    api: (ended.api - begun.api) / tookMs,
    worker: (ended.worker - begun.worker) / tookMs,
    postgres: (ended.postgres - begun.postgres) / tookMs,
  };
}

/** Processes that have ended meanwhile are missing at the end, so those of Postgres come out a little low. */
function sharedMs({ pids }: RunningInstance): Record<keyof ProcessorShares, number> {
  const processes = listProcesses();
  const of = (pid: number): number => sum(descendantsOf(pid, processes).map(processorOf));
  return { api: of(pids.api), worker: of(pids.worker), postgres: of(pids.postgres) };
}

/** User and system time are the fields 14 and 15 of the line. */
function processorOf(pid: number): number {
  const stat = textOf(`/proc/${pid}/stat`);
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return (user + system) * TICK_MS;
}

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function listProcesses(): ProcessEntry[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = textOf(`/proc/${name}/stat`);
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      return stat === '' ? [] : [{ pid: Number(name), parent, command: textOf(`/proc/${name}/cmdline`) }];
    });
}

function descendantsOf(pid: number, processes: readonly ProcessEntry[]): number[] {
  const children = processes.filter(({ parent }) => parent === pid);
  return [pid, ...children.flatMap((child) => descendantsOf(child.pid, processes))];
}

const runnersIn = (containerId: string, processes: readonly ProcessEntry[]): ProcessEntry[] =>
  processes.filter(({ pid, command }) => command.startsWith(RUNNER_PATH) && isInContainer(pid, containerId));

const isInContainer = (pid: number, containerId: string): boolean =>
  textOf(`/proc/${pid}/cgroup`).includes(containerId);

function sizeOf(pid: number, field: 'VmRSS' | 'RssAnon'): number {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(textOf(`/proc/${pid}/status`));
  return Number(line?.[1] ?? 0) * KIB;
}

/** Empty for a process that has ended meanwhile. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return '';
    throw error;
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
