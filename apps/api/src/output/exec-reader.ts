import { Inject, Injectable } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import {
  DomainError,
  EXEC_TRANSITIONS,
  isDomainError,
  isTerminal,
  limits,
  type Chunk,
  type Exec,
  type ExecId,
  type ExecStore,
  type OutputSource,
  type WakeReceiver,
} from '#domain';
import { EXEC_STORE, OUTPUT_SOURCE, WAKE_RECEIVER } from '../tokens.js';
import { WakeUps } from '../waiting/wake-ups.js';
import { LiveFeeds, type LiveFeed } from './live-feeds.js';
import { CHUNK_ENDS, RecentOutput, type OutputPlaces } from './recent-output.js';
import { SharedLooks } from './shared-looks.js';

/** What one look fetches, and at most one chunk more: the memory that a reader holds. */
const READ_BYTES_MAX = 128 * 1_024;
/** Output that comes by so much between two looks is fast: it is worth a feed from its host. */
const FAST_BYTES = 256 * 1_024;
const CATCH_UP_BYTES_MAX = 8 * 1_024 * 1_024;
const OUTAGE_RETRY_MS = 500;
/** A reader that follows outlives an outage of the database up to this long; then its client must come again. */
const OUTAGE_MS_MAX = 60_000;

export type ReaderEvent =
  /** The exec was seen in a state that is not an end. */
  | { readonly kind: 'state'; readonly exec: Exec }
  /** Committed output. What lies before `from` was not asked for, or has been handed out before. */
  | { readonly kind: 'chunk'; readonly chunk: Chunk; readonly from: number }
  /** The exec has ended and all of its output was handed out. */
  | { readonly kind: 'end'; readonly exec: Exec };

export interface ReadOptions {
  /** `frames`: by position in the framed spool. A stream: by byte of that stream. */
  readonly of: OutputPlaces;
  readonly from: number;
  /** Otherwise it stops at what is committed. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
  /** Called before each fetch; the fetched chunks are held until the returned function is called. */
  readonly turn?: () => Promise<() => void>;
  readonly onOutage?: (error: DomainError) => void;
}

/**
 * The one reader of output, stored and live. It subscribes, then looks, then waits, so that nothing is missed between
 * stored and live, and it goes by committed positions, so that nothing comes twice. Where output is fast, it takes what is
 * committed from its host's feed and looks at the row only now and then.
 */
@Injectable()
export class ExecReader {
  private readonly looks: SharedLooks<ExecId, Exec>;

  constructor(
    @Inject(EXEC_STORE) private readonly execs: ExecStore,
    @Inject(OUTPUT_SOURCE) private readonly output: OutputSource,
    @Inject(WAKE_RECEIVER) private readonly receiver: WakeReceiver,
    @Inject(LiveFeeds) private readonly feeds: LiveFeeds,
    @Inject(RecentOutput) private readonly recent: RecentOutput,
  ) {
    this.looks = new SharedLooks((id) => execs.get(id));
  }

  /** Returns without an `end` only where it does not follow or the signal has aborted. */
  async *read(id: ExecId, options: ReadOptions): AsyncGenerator<ReaderEvent, void, undefined> {
    const wakeUps = new WakeUps(this.receiver, `exec:${id}`);
    const cursor: Cursor = { at: options.from, feed: undefined };
    let seen: Exec['state'] | undefined;
    try {
      while (!options.signal.aborted) {
        const lookedAt = performance.now();
        const exec = await patiently(options, () => this.looks.get(id));
        const ended = isTerminal(EXEC_TRANSITIONS, exec.state);
        if (!ended && exec.state !== seen) yield { kind: 'state', exec };
        seen = exec.state;
        const committed = COMMITTED[options.of](exec);
        if (cursor.feed?.over) cursor.feed = cursor.feed.leave();
        if (options.follow && exec.state === 'running' && isWorthAFeed(committed - cursor.at)) {
          cursor.feed ??= this.followedBy(wakeUps, exec);
        }
        yield* this.upTo(committed, exec, options, cursor);
        if (ended && !options.signal.aborted) yield { kind: 'end', exec };
        if (ended || !options.follow) return;
        yield* this.waitAndFeed(wakeUps, lookedAt + limits.READER_POLL_MS, exec, options, cursor);
      }
    } finally {
      wakeUps.close();
      cursor.feed?.leave();
    }
  }

  private followedBy(wakeUps: WakeUps, exec: Exec): LiveFeed {
    const feed = this.feeds.join(exec);
    wakeUps.listenTo((listener) => feed.onChange(listener));
    return feed;
  }

  /** Waits until it is time to look at the row again. As long as a feed brings output, that is not at each wake-up. */
  private async *waitAndFeed(
    wakeUps: WakeUps,
    lookAt: number,
    exec: Exec,
    options: ReadOptions,
    cursor: Cursor,
  ): AsyncGenerator<ReaderEvent> {
    const { feed } = cursor;
    do {
      if (feed) yield* this.upTo(feed.end(options.of), exec, options, cursor);
      const waitMs = lookAt - performance.now();
      if (feed?.over || (feed && waitMs <= 0)) return;
      await wakeUps.next(Math.max(0, waitMs), options.signal);
    } while (feed && !options.signal.aborted);
  }

  /** Everything below `committed`. */
  private async *upTo(
    committed: number,
    exec: Exec,
    options: ReadOptions,
    cursor: Cursor,
  ): AsyncGenerator<ReaderEvent> {
    const { start, end } = CHUNK_ENDS[options.of];
    while (cursor.at < committed && !options.signal.aborted) {
      const release = await options.turn?.();
      try {
        const recent = this.recent.find(exec.id, options.of, cursor.at);
        const chunks = recent ? [recent] : await this.stored(exec.id, options, cursor.at);
        if (chunks.length === 0) throw gap(exec, cursor.at);
        for (const chunk of chunks) {
          if (start(chunk) > cursor.at) throw gap(exec, cursor.at);
          yield { kind: 'chunk', chunk, from: cursor.at };
          cursor.at = end(chunk);
          cursor.feed?.reached(chunk);
        }
      } finally {
        release?.();
      }
    }
  }

  private async stored(id: ExecId, options: ReadOptions, from: number): Promise<Chunk[]> {
    const fetch = STORED[options.of];
    return await patiently(options, () => fetch(this.output, id, from));
  }
}

interface Cursor {
  at: number;
  feed: LiveFeed | undefined;
}

/** Much comes at a time, and the reader is not so far behind that it could not catch up with what is new. */
function isWorthAFeed(behindBytes: number): boolean {
  return behindBytes >= FAST_BYTES && behindBytes <= CATCH_UP_BYTES_MAX;
}

const COMMITTED: Readonly<Record<OutputPlaces, (exec: Exec) => number>> = {
  frames: (exec) => exec.committedPosition,
  stdout: (exec) => exec.stdoutBytes,
  stderr: (exec) => exec.stderrBytes,
};

type Fetch = (output: OutputSource, id: ExecId, from: number) => Promise<Chunk[]>;

const STORED: Readonly<Record<OutputPlaces, Fetch>> = {
  frames: async (output, id, from) => await output.readChunks(id, from, READ_BYTES_MAX),
  stdout: async (output, id, from) => await output.readStreamChunks(id, 'stdout', from, READ_BYTES_MAX),
  stderr: async (output, id, from) => await output.readStreamChunks(id, 'stderr', from, READ_BYTES_MAX),
};

/** A database that is away is waited for by those who follow; everybody else is told at once. */
async function patiently<T>(options: ReadOptions, look: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await look();
    } catch (error) {
      const passes = options.follow && isDomainError(error, 'dependency_unavailable');
      if (!passes || performance.now() - startedAt > OUTAGE_MS_MAX) throw error;
      if (attempt === 1) options.onOutage?.(error);
    }
    await delay(OUTAGE_RETRY_MS, undefined, { signal: options.signal });
  }
}

/** Committed output that is not there is worse than no answer: it must not look like the end. */
function gap(exec: Exec, at: number): DomainError {
  return new DomainError('spool_corrupt', 'The stored output cannot be read.', {
    detail: `exec ${exec.id}: nothing is stored at ${at} of ${exec.committedPosition}`,
  });
}
