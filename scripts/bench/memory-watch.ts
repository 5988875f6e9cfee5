import { PROCESS_NAMES, residentBytes, type ProcessName } from './process-costs.js';
import type { RunningInstance } from './running-instance.js';

const LOOK_EVERY_MS = 500;
const MEBIBYTE = 1_024 * 1_024;

/** In mebibytes. */
export type MemoryGrowth = Readonly<Record<ProcessName, number>>;

/** Looks at the resident memory of the processes again and again, against what it was at the beginning. */
export class MemoryWatch {
  private readonly before: Record<ProcessName, number>;
  private readonly most: Record<ProcessName, number>;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly instance: RunningInstance,
    private readonly containerId: string,
  ) {
    this.before = residentBytes(instance, containerId);
    this.most = { ...this.before };
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  /** How much each had grown at the most. */
  stop(): MemoryGrowth {
    clearInterval(this.timer);
    this.look();
    const growth = PROCESS_NAMES.map((name) => [name, (this.most[name] - this.before[name]) / MEBIBYTE]);
    return Object.fromEntries(growth) as Record<ProcessName, number>;
  }

  private look(): void {
    const now = residentBytes(this.instance, this.containerId);
    for (const name of PROCESS_NAMES) this.most[name] = Math.max(this.most[name], now[name]);
  }
}
