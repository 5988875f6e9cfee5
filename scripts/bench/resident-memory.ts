import { readFileSync } from 'node:fs';
import type { RunningInstance } from './running-instance.js';

export type ProcessName = 'api' | 'worker';

/** Resident bytes of the product's own processes, as the kernel counts them. */
export function residentBytes(instance: RunningInstance): Record<ProcessName, number> {
  return { api: residentOf(instance.pids.api), worker: residentOf(instance.pids.worker) };
}

function residentOf(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) * 1_024;
}
