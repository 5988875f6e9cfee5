import { Context } from '@temporalio/activity';

export const HEARTBEAT_MS = 5_000;

/** Heartbeats first and then every HEARTBEAT_MS while `work` goes on: a lost worker is noticed, and cancellation arrives. */
export async function withHeartbeat<T>(work: () => Promise<T>, details?: () => unknown): Promise<T> {
  const context = Context.current();
  const beat = (): void => context.heartbeat(details?.());
  beat();
  const timer = setInterval(beat, HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
