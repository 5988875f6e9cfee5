import { Injectable } from '@nestjs/common';
import { DomainError } from '#domain';

/** More than keep the database and Temporal busy, and far fewer than make requests wait for a connection in vain. */
const WORKING_MAX = 48;
const WAITING_MAX = 4_000;
const RETRY_AFTER_SECONDS = 5;

type Start = () => void;

/**
 * Lets so many work at once. Those who wait are let in by turns, one of each key, so that a thousand requests for one
 * sandbox hold up the first one for another by no more than what is being worked on.
 */
@Injectable()
export class FairTurns {
  private working = 0;
  private waitingCount = 0;
  /** In the order of the turns. */
  private readonly waiting = new Map<string, Start[]>();

  /** Throws `rate_limited` where too many wait already. */
  async inTurn<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    if (this.working >= WORKING_MAX) await this.turn(key);
    else this.working += 1;
    try {
      return await work();
    } finally {
      this.next();
    }
  }

  private async turn(key: string): Promise<void> {
    if (this.waitingCount >= WAITING_MAX) {
      throw new DomainError('rate_limited', 'Too many requests wait to be worked on.', {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    this.waitingCount += 1;
    await new Promise<void>((resolve) => {
      const line = this.waiting.get(key);
      if (line) line.push(resolve);
      else this.waiting.set(key, [resolve]);
    });
  }

  /** The place of who has ended goes over to who comes next. */
  private next(): void {
    const [entry] = this.waiting;
    if (!entry) {
      this.working -= 1;
      return;
    }
    const [key, line] = entry;
    const start = line.shift();
    this.waiting.delete(key);
    if (line.length > 0) this.waiting.set(key, line);
    this.waitingCount -= 1;
    start?.();
  }
}
