import { Inject, Injectable } from '@nestjs/common';
import type { Chunk, Exec, ExecId, HostId, HostLink } from '#domain';
import type { Logger } from 'pino';
import { HOST_LINK, LOGGER } from '../tokens.js';
import { CHUNK_ENDS, RecentOutput, type OutputPlaces } from './recent-output.js';

/**
 * Output straight from the hosts that commit it: one feed for all readers of an exec in this process, opened by the first and
 * closed by the last. It only spares the way through the database. Whatever happens to a feed, it is over, and its readers
 * go on with what is stored.
 */
@Injectable()
export class LiveFeeds {
  private readonly feeds = new Map<ExecId, LiveFeed>();

  constructor(
    @Inject(HOST_LINK) private readonly hosts: HostLink,
    @Inject(RecentOutput) private readonly recent: RecentOutput,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** The caller leaves it, once. */
  join({ id, hostId }: Exec): LiveFeed {
    const present = this.feeds.get(id);
    const feed = present && !present.over ? present : new LiveFeed(() => this.closed(id, feed));
    if (feed !== present) {
      this.feeds.set(id, feed);
      void this.run(id, hostId, feed);
    }
    feed.readers += 1;
    return feed;
  }

  private async run(id: ExecId, host: HostId, feed: LiveFeed): Promise<void> {
    try {
      for await (const chunk of this.hosts.committed(host, id, feed.left)) {
        this.recent.add(id, chunk);
        feed.advance(chunk);
        if (feed.isFarAhead) break;
      }
    } catch (error) {
      if (!feed.left.aborted) this.log.debug({ err: error, execId: id }, 'A feed of output broke off.');
    } finally {
      feed.finish();
    }
  }

  private closed(id: ExecId, feed: LiveFeed): void {
    if (this.feeds.get(id) !== feed) return;
    this.feeds.delete(id);
    this.recent.forget(id);
  }
}

/** Where even the fastest reader is further behind, what comes would push out of memory what is read next. */
const AHEAD_BYTES_MAX = 16 * 1_024 * 1_024;

/** How far the output of one exec has come, as its host tells it. */
export class LiveFeed {
  readers = 0;
  private last: Chunk | undefined;
  /** Where the fastest reader is, by position. */
  private readTo: number | undefined;
  private isOver = false;
  private readonly leaving = new AbortController();
  private readonly listeners = new Set<() => void>();

  constructor(private readonly onLeft: () => void) {}

  /** Nothing more comes from here. */
  get over(): boolean {
    return this.isOver;
  }

  get left(): AbortSignal {
    return this.leaving.signal;
  }

  /** Up to where output is known to be committed; 0 as long as nothing has come. */
  end(of: OutputPlaces): number {
    return this.last ? CHUNK_ENDS[of].end(this.last) : 0;
  }

  /** Calls the listener when more has come and when it is over. Returns how to stop. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  get isFarAhead(): boolean {
    return (this.last?.endPosition ?? 0) - (this.readTo ?? 0) > AHEAD_BYTES_MAX;
  }

  /** A reader has dealt with this chunk. */
  reached({ endPosition }: Chunk): void {
    this.readTo = Math.max(this.readTo ?? 0, endPosition);
  }

  leave(): undefined {
    this.readers -= 1;
    if (this.readers > 0) return;
    this.leaving.abort();
    this.onLeft();
  }

  advance(chunk: Chunk): void {
    this.last = chunk;
    this.readTo ??= chunk.position;
    this.tell();
  }

  finish(): void {
    this.isOver = true;
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
