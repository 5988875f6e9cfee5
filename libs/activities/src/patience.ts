import { setTimeout as delay } from 'node:timers/promises';
import { isAway, type Dependency } from '#domain';

const FIRST_MS = 50;
const LONGEST_MS = 2_000;

/** Growing pauses between attempts: 50 ms to 2 s. */
export class Backoff {
  private nextMs = FIRST_MS;

  reset(): void {
    this.nextMs = FIRST_MS;
  }

  /** Rejects with the signal's reason when it aborts. */
  async pause(signal: AbortSignal): Promise<void> {
    const ms = this.nextMs;
    this.nextMs = Math.min(this.nextMs * 2, LONGEST_MS);
    try {
      await delay(ms, undefined, { signal });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  }
}

/** Repeats `work` for as long as the dependency is away. Only for work that is safe to repeat. */
export async function whileAway<T>(
  dependency: Dependency,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const backoff = new Backoff();
  for (;;) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!isAway(error, dependency)) throw error;
      await backoff.pause(signal);
    }
  }
}
