import { Inject, Injectable } from '@nestjs/common';
import { limits, type Topic, type WakeReceiver } from '#domain';
import type { Call } from '../http/call.js';
import { WAKE_RECEIVER } from '../tokens.js';
import { Draining } from './draining.js';
import { WakeUps } from './wake-ups.js';

/** Waits until a row has ended, at most as long as the request wants. No connection is held while it waits. */
@Injectable()
export class LongPoll {
  constructor(
    @Inject(WAKE_RECEIVER) private readonly receiver: WakeReceiver,
    @Inject(Draining) private readonly draining: Draining,
  ) {}

  /** Returns the row as it last was: ended, or not ended in time. */
  async until<Row>(
    call: Call,
    waitSeconds: number | undefined,
    topic: Topic,
    load: () => Promise<Row>,
    ended: (row: Row) => boolean,
  ): Promise<Row> {
    const seconds = waitSeconds ?? call.preferWaitSeconds;
    if (seconds === 0) return await load();
    const deadline = performance.now() + seconds * 1_000;
    const signal = AbortSignal.any([call.signal, this.draining.signal]);
    const wakeUps = new WakeUps(this.receiver, topic);
    try {
      for (;;) {
        const row = await load();
        const remainingMs = deadline - performance.now();
        if (ended(row) || remainingMs <= 0 || signal.aborted) return row;
        await wakeUps.next(Math.min(remainingMs, limits.READER_POLL_MS), signal);
      }
    } finally {
      wakeUps.close();
    }
  }
}
