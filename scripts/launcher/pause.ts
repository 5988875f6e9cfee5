import { setTimeout as delay } from 'node:timers/promises';
import { SetupInterrupted } from './setup-problem.js';

/** Waits between two looks at something that gives no event. Ends early, with an error, when the signal is aborted. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    if (signal?.aborted === true) throw new SetupInterrupted();
    throw error;
  }
}

export interface PollOptions {
  readonly timeoutMs: number;
  readonly intervalMs: number;
  readonly signal?: AbortSignal;
}

/** Looks until the answer is true. False means that the time is over. */
export async function pollUntil(
  look: () => Promise<boolean> | boolean,
  options: PollOptions,
): Promise<boolean> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    if (await look()) return true;
    if (Date.now() >= deadline) return false;
    await pause(options.intervalMs, options.signal);
  }
}
