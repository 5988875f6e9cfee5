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
import type { OutputStream } from './stream-slices.js';

/** What one look fetches, and at most one chunk more: the memory that a reader holds. */
const READ_BYTES_MAX = 128 * 1_024;
const OUTAGE_RETRY_MS = 500;
/** A reader that follows outlives an outage of the database up to this long; then its client must come again. */
const OUTAGE_MS_MAX = 60_000;

export type ReaderEvent =
  /** The exec was seen in a state that is not an end. */
  | { readonly kind: 'state'; readonly exec: Exec }
  /** Committed output. The first chunk may begin before the place that was asked for. */
  | { readonly kind: 'chunk'; readonly chunk: Chunk }
  /** The exec has ended and all of its output was handed out. */
  | { readonly kind: 'end'; readonly exec: Exec };

export interface ReadOptions {
  /** `frames`: by position in the framed spool. A stream: by byte of that stream. */
  readonly of: 'frames' | OutputStream;
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
 * stored and live, and it goes by the committed position of the row, so that nothing comes twice.
 */
@Injectable()
export class ExecReader {
  constructor(
    @Inject(EXEC_STORE) private readonly execs: ExecStore,
    @Inject(OUTPUT_SOURCE) private readonly output: OutputSource,
    @Inject(WAKE_RECEIVER) private readonly receiver: WakeReceiver,
  ) {}

  /** Returns without an `end` only where it does not follow or the signal has aborted. */
  async *read(id: ExecId, options: ReadOptions): AsyncGenerator<ReaderEvent, void, undefined> {
    const wakeUps = new WakeUps(this.receiver, `exec:${id}`);
    const cursor: Cursor = { at: options.from };
    let seen: Exec['state'] | undefined;
    try {
      while (!options.signal.aborted) {
        const exec = await patiently(options, () => this.execs.get(id));
        const ended = isTerminal(EXEC_TRANSITIONS, exec.state);
        if (!ended && exec.state !== seen) yield { kind: 'state', exec };
        seen = exec.state;
        yield* this.committed(exec, options, cursor);
        if (ended && !options.signal.aborted) yield { kind: 'end', exec };
        if (ended || !options.follow) return;
        await wakeUps.next(limits.READER_POLL_MS, options.signal);
      }
    } finally {
      wakeUps.close();
    }
  }

  /** Everything up to what the row said is committed. */
  private async *committed(exec: Exec, options: ReadOptions, cursor: Cursor): AsyncGenerator<ReaderEvent> {
    const source = SOURCES[options.of];
    while (cursor.at < source.committed(exec) && !options.signal.aborted) {
      const release = await options.turn?.();
      try {
        const chunks = await patiently(options, () => source.fetch(this.output, exec.id, cursor.at));
        if (chunks.length === 0) throw gap(exec, cursor.at);
        for (const chunk of chunks) {
          if (source.start(chunk) > cursor.at) throw gap(exec, cursor.at);
          yield { kind: 'chunk', chunk };
          cursor.at = source.end(chunk);
        }
      } finally {
        release?.();
      }
    }
  }
}

interface Cursor {
  at: number;
}

interface Source {
  committed(exec: Exec): number;
  fetch(output: OutputSource, id: ExecId, from: number): Promise<Chunk[]>;
  start(chunk: Chunk): number;
  end(chunk: Chunk): number;
}

const SOURCES: Readonly<Record<ReadOptions['of'], Source>> = {
  frames: {
    committed: (exec) => exec.committedPosition,
    fetch: async (output, id, from) => await output.readChunks(id, from, READ_BYTES_MAX),
    start: (chunk) => chunk.position,
    end: (chunk) => chunk.endPosition,
  },
  stdout: {
    committed: (exec) => exec.stdoutBytes,
    fetch: async (output, id, from) => await output.readStreamChunks(id, 'stdout', from, READ_BYTES_MAX),
    start: (chunk) => chunk.stdoutFrom,
    end: (chunk) => chunk.stdoutTo,
  },
  stderr: {
    committed: (exec) => exec.stderrBytes,
    fetch: async (output, id, from) => await output.readStreamChunks(id, 'stderr', from, READ_BYTES_MAX),
    start: (chunk) => chunk.stderrFrom,
    end: (chunk) => chunk.stderrTo,
  },
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
