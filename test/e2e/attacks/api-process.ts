import { readdirSync, readFileSync } from 'node:fs';
import { runningStack } from '../../stack/running-stack.js';
import { call } from '../api-client.js';
import { pidOf, type ComponentName } from '../processes.js';
import { pause } from '../until.js';

const PAGE_BYTES = 4_096;
const PROBE_EVERY_MS = 50;
const SETTLE_MS_MAX = 60_000;
const SETTLE_LOOK_MS = 250;
/** Connections to other parts are kept for a while. An attack with connections opens several hundred of them. */
const KEPT_DESCRIPTORS_MAX = 150;
/**
 * A process that has just started has its first garbage still before it, so this is no small figure. An attack on memory
 * asks for more, or for the same again and again.
 */
const GROWTH_BYTES_MAX = 256 * 1_048_576;

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

  /** The same process, which holds hardly more descriptors and memory once it has had time to let go. */
  async hold(bytesMax = GROWTH_BYTES_MAX, descriptorsMax = KEPT_DESCRIPTORS_MAX): Promise<void> {
    if (pidOf(this.name) !== this.pid) throw new Error(`${this.name} has not survived.`);
    for (const giveUpAt = Date.now() + SETTLE_MS_MAX; ;) {
      const grown = { bytes: this.grownBytes, descriptors: openDescriptors(this.pid) - this.descriptors };
      if (grown.bytes < bytesMax && grown.descriptors < descriptorsMax) return;
      if (Date.now() > giveUpAt) throw new Error(`${this.name} has grown: ${JSON.stringify(grown)}`);
      await pause(SETTLE_LOOK_MS);
    }
  }
}

/** Asks for a row again and again while `attack` goes on, each time to be answered. Returns how often that was before its end. */
export async function answeredDuring(path: string, attack: () => Promise<unknown>): Promise<number> {
  let isOver = false;
  const attacking = attack().finally(() => (isOver = true));
  let answers = 0;
  do {
    const { status } = await call('GET', path);
    if (status !== 200) throw new Error(`GET ${path} answered ${status} during the attack.`);
    if (!isOver) answers += 1;
    await pause(PROBE_EVERY_MS);
  } while (!isOver);
  await attacking;
  return answers;
}

export function socketUrl(path: string): URL {
  const url = new URL(path, runningStack().apiUrl);
  url.protocol = 'ws:';
  return url;
}
