import type { Topic, WakeReceiver } from '#domain';

/**
 * The wake-ups of one topic for one reader. Subscribe first, then look, then wait: a wake-up that arrives between the
 * look and the wait is remembered, so it cannot be lost.
 */
export class WakeUps {
  private woken = false;
  private resume: (() => void) | undefined;
  private readonly unsubscribes: Array<() => void> = [];

  constructor(receiver: WakeReceiver, topic: Topic) {
    this.listenTo((listener) => receiver.onWake(topic, listener));
  }

  /** Takes wake-ups from somewhere else, too. */
  listenTo(subscribe: (listener: () => void) => () => void): void {
    this.unsubscribes.push(
      subscribe(() => {
        this.woken = true;
        this.resume?.();
      }),
    );
  }

  /** Returns after a wake-up since the last return, after `timeoutMs`, or when `signal` aborts. */
  async next(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (!this.woken && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => this.resume?.(), timeoutMs);
        const onAbort = (): void => this.resume?.();
        this.resume = () => {
          this.resume = undefined;
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
          resolve();
        };
        signal.addEventListener('abort', onAbort, { once: true });
      });
    }
    this.woken = false;
  }

  close(): void {
    for (const unsubscribe of this.unsubscribes) unsubscribe();
    this.resume?.();
  }
}
