import { readFileSync } from 'node:fs';
import type { Broken } from './broken.js';
import { pause } from './pause.js';
import { allProcesses, startTimeOf } from './processes.js';

const LOOK_MS = 250;
/** An init that an engine has forgotten goes within this time once the next one comes. */
const OVERLAP_MS_MAX = 15_000;
const INIT_COMMAND = '/berth/bin/runner init';

/** The processes that are the init of a sandbox, as the kernel shows them, past Docker and past Berth. */
export function initsOf(sandboxIds: ReadonlySet<string>): Map<string, number[]> {
  const inits = new Map<string, number[]>();
  for (const { pid, command } of allProcesses()) {
    if (command !== INIT_COMMAND) continue;
    const id = sandboxOf(pid);
    if (id !== undefined && sandboxIds.has(id)) inits.set(id, [...(inits.get(id) ?? []), pid]);
  }
  return inits;
}

function sandboxOf(pid: number): string | undefined {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return entries.find((entry) => entry.startsWith('BERTH_SANDBOX_ID='))?.split('=')[1];
  } catch {
    return undefined;
  }
}

/** Watches that no sandbox runs twice at once, and counts how often each has come to run. */
export class InitWatch {
  private readonly born = new Map<string, Set<string>>();
  private readonly doubledSince = new Map<string, number>();
  private readonly broken: Broken[] = [];

  constructor(private readonly sandboxIds: ReadonlySet<string>) {}

  async run(signal: AbortSignal): Promise<readonly Broken[]> {
    for (; !signal.aborted; await pause(LOOK_MS, signal)) this.look();
    return this.broken;
  }

  /** How many inits a sandbox has had until this moment. */
  births(sandboxId: string): number {
    this.look();
    return this.born.get(sandboxId)?.size ?? 0;
  }

  private look(): void {
    const inits = initsOf(this.sandboxIds);
    for (const id of this.doubledSince.keys()) {
      if ((inits.get(id)?.length ?? 0) < 2) this.doubledSince.delete(id);
    }
    for (const [id, pids] of inits) {
      this.note(id, pids);
      if (pids.length < 2) continue;
      const from = this.doubledSince.get(id) ?? Date.now();
      this.doubledSince.set(id, from);
      if (Date.now() - from < OVERLAP_MS_MAX) continue;
      this.doubledSince.set(id, Infinity);
      this.broken.push({
        kind: 'second container',
        detail: `the sandbox ${id} has the inits ${pids.join(', ')}`,
      });
    }
  }

  private note(id: string, pids: readonly number[]): void {
    const born = this.born.get(id) ?? new Set();
    this.born.set(id, born);
    for (const pid of pids) {
      const startTime = startTimeOf(pid);
      if (startTime !== undefined) born.add(`${pid} ${startTime}`);
    }
  }
}
