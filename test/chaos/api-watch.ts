import type { Client } from './client.js';
import { injuriesEnding, type Injury } from './injury.js';
import { pause } from './pause.js';

const READ_EVERY_MS = 100;
const READ_PATH = '/v1/execs?limit=1';
/** So long after the end of an injury the API has to be as quick as before. */
const BACK_WITHIN_MS = 30_000;

interface Read {
  readonly atMs: number;
  readonly tookMs: number;
}

/** How long reads of the API took, in milliseconds: empty where there were none. */
export interface ReadTimes {
  /** With execs in flight, before the first injury. */
  readonly before: readonly number[];
  /** In the 30 s after the end of an injury, while others go on. */
  readonly between: readonly number[];
  /** In the 30 s after everything was healed. */
  readonly after: readonly number[];
}

/** Reads a list all the time, as a page that somebody has open. A read without an answer is none: readers of execs judge that. */
export class ApiWatch {
  private readonly reads: Read[] = [];

  constructor(private readonly client: Client) {}

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.read();
      await pause(READ_EVERY_MS, signal);
    }
  }

  times(injuries: readonly Injury[], healedAtMs: number): ReadTimes {
    return readTimesOf(this.reads, injuries, healedAtMs);
  }

  private async read(): Promise<void> {
    const atMs = Date.now();
    const beganAt = performance.now();
    try {
      const { status } = await this.client.call('GET', READ_PATH);
      if (status === 200) this.reads.push({ atMs, tookMs: performance.now() - beganAt });
    } catch {
      // The API is being hurt.
    }
  }
}

/** A read belongs to where it began. */
export function readTimesOf(
  reads: readonly Read[],
  injuries: readonly Injury[],
  healedAtMs: number,
): ReadTimes {
  const firstAtMs = Math.min(...injuries.map(({ atMs }) => atMs));
  const timesOf = (isMeant: (atMs: number) => boolean): number[] =>
    reads.filter(({ atMs }) => isMeant(atMs)).map(({ tookMs }) => tookMs);
  return {
    before: timesOf((atMs) => atMs < firstAtMs),
    between: timesOf(
      (atMs) => atMs < healedAtMs && injuriesEnding(injuries, atMs - BACK_WITHIN_MS, atMs).length > 0,
    ),
    after: timesOf((atMs) => atMs >= healedAtMs && atMs < healedAtMs + BACK_WITHIN_MS),
  };
}
