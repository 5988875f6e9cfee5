import { PassThrough, pipeline, type Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { ApiError, UnreachableError, type ApiClient } from '../api/api-client.js';

/** As much as one request takes. While it is on its way the next one is read. */
const PIECE_BYTES_MAX = 1_024 * 1_024;
const RETRY_PAUSE_MS = 250;
const EMPTY = new Uint8Array(0);
/** An exec that has ended, or that no longer reads, takes nothing more: there is nobody to tell. */
const OVER_CODES: ReadonlySet<string> = new Set(['stdin_closed', 'invalid_state', 'not_found']);
const RETRY_CODES: ReadonlySet<string> = new Set(['stdin_full', 'dependency_unavailable', 'rate_limited']);
const WAITING_STATES: ReadonlySet<unknown> = new Set(['queued', 'starting']);

const AppliedSchema = z.looseObject({ appliedTo: z.number().int(), eof: z.boolean() });

export interface FeedOptions {
  readonly api: ApiClient;
  readonly execId: string;
  readonly input: Readable;
  /** Where the input begins within the whole input of the exec. */
  readonly offset: number;
  /** Say the end of the input when it has come. */
  readonly end: boolean;
  readonly signal: AbortSignal;
}

/**
 * Sends everything that can be read from `input` to the standard input of an exec, each byte once. It waits for a command that is
 * slow, and sends again through every outage; it returns how far the input has come when there is nothing more to send.
 */
export async function feedStdin(options: FeedOptions): Promise<number> {
  const { input, signal } = options;
  // Whatever has come while a request was on its way is the next one: many small reads do not cost a round trip each.
  const ahead = new PassThrough({ readableHighWaterMark: PIECE_BYTES_MAX });
  // The error of the one is that of the other, which is read.
  pipeline(input, ahead, () => undefined);
  const stop = (): unknown => ahead.destroy();
  signal.addEventListener('abort', stop, { once: true });
  let { offset } = options;
  try {
    for await (const chunk of ahead as AsyncIterable<Buffer>) {
      for (let from = 0; from < chunk.byteLength; from += PIECE_BYTES_MAX) {
        const piece = chunk.subarray(from, from + PIECE_BYTES_MAX);
        if (!(await put(options, offset, piece, false))) return offset;
        offset += piece.byteLength;
      }
    }
    if (options.end) await put(options, offset, EMPTY, true);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return offset;
}

/** How much of the input the command has been given. */
export async function appliedOf(api: ApiClient, execId: string): Promise<number> {
  return (await api.put(pathOf(execId, 0, false), EMPTY, AppliedSchema)).appliedTo;
}

/** False when nobody takes input any more. */
async function put(
  { api, execId, signal }: FeedOptions,
  offset: number,
  piece: Uint8Array,
  eof: boolean,
): Promise<boolean> {
  for (;;) {
    signal.throwIfAborted();
    try {
      await api.put(pathOf(execId, offset, eof), piece, AppliedSchema, signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!mayPass(error)) {
        if (error instanceof ApiError && OVER_CODES.has(error.problem.code)) return false;
        throw error;
      }
    }
    await delay(RETRY_PAUSE_MS, undefined, { signal });
  }
}

function mayPass(error: unknown): boolean {
  if (error instanceof UnreachableError) return true;
  if (!(error instanceof ApiError)) return false;
  const { code, state } = error.problem;
  return RETRY_CODES.has(code) || (code === 'invalid_state' && WAITING_STATES.has(state));
}

function pathOf(execId: string, offset: number, eof: boolean): string {
  return `/v1/execs/${encodeURIComponent(execId)}/stdin?offset=${offset}${eof ? '&eof=1' : ''}`;
}
