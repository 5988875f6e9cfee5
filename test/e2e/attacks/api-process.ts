import { readdirSync, readFileSync } from 'node:fs';
import { runningStack } from '../../stack/running-stack.js';
import { call } from '../api-client.js';
import { pidOf, type ComponentName } from '../processes.js';

const PAGE_BYTES = 4_096;
const PROBE_EVERY_MS = 50;
const SETTLE_MS_MAX = 30_000;
/** Up to 20 connections to Postgres, and those to other parts that are kept for a while. An attack opens many more. */
const KEPT_DESCRIPTORS_MAX = 64;

export function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
}

export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Where a process stood before an attack, and what must hold after it. */
export class Steadiness {
  private readonly pid: number;
  private readonly bytes: number;
  private readonly descriptors: number;

  constructor(private readonly name: ComponentName) {
    this.pid = pidOf(name);
    this.bytes = residentBytes(this.pid);
    this.descriptors = openDescriptors(this.pid);
  }

  get grownBytes(): number {
    return residentBytes(this.pid) - this.bytes;
  }

  /** The same process, with no descriptor more, and with less than so much more memory once it has had time to let go. */
  async hold(bytesMax: number, descriptorsMax = KEPT_DESCRIPTORS_MAX): Promise<void> {
    if (pidOf(this.name) !== this.pid) throw new Error(`${this.name} has not survived.`);
    for (const giveUpAt = Date.now() + SETTLE_MS_MAX; ;) {
      const grown = { bytes: this.grownBytes, descriptors: openDescriptors(this.pid) - this.descriptors };
      if (grown.bytes < bytesMax && grown.descriptors < descriptorsMax) return;
      if (Date.now() > giveUpAt) throw new Error(`${this.name} has grown: ${JSON.stringify(grown)}`);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

/** Asks for a row again and again while `attack` goes on. Returns how long the answers took, in milliseconds, ascending. */
export async function latenciesDuring(path: string, attack: () => Promise<unknown>): Promise<number[]> {
  let isOver = false;
  const attacking = attack().finally(() => (isOver = true));
  const latencies: number[] = [];
  while (!isOver) {
    const askedAt = performance.now();
    const { status } = await call('GET', path);
    if (status !== 200) throw new Error(`GET ${path} answered ${status} during the attack.`);
    latencies.push(performance.now() - askedAt);
    await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS));
  }
  await attacking;
  return latencies.toSorted((a, b) => a - b);
}

export const percentile = (ascending: readonly number[], share: number): number =>
  ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN;

export function socketUrl(path: string): URL {
  const url = new URL(path, runningStack().apiUrl);
  url.protocol = 'ws:';
  return url;
}
