import { setTimeout as delay } from 'node:timers/promises';
import type { CliConfig } from '../config.js';
import { CliError } from '../terminal/cli-error.js';
import { ConnectionLostError, openExecSocket, type EndMessage, type SocketEvent } from './exec-socket.js';
import type { OutputStream } from './output-message.js';

export const RECONNECT_PAUSE_MS_MIN = 100;
const RECONNECT_PAUSE_MS_MAX = 2_000;
/** An API that is away for longer is not restarting. The exec goes on in any case. */
const RECONNECT_WINDOW_MS = 10 * 60_000;

/** A payload that does not continue its stream is asked for again this often. */
const MISMATCHES_MAX = 3;

export type StreamEvent =
  | {
      readonly kind: 'output';
      readonly stream: OutputStream;
      readonly bytes: Uint8Array;
      readonly position: number;
    }
  | { readonly kind: 'state'; readonly state: string }
  | { readonly kind: 'outage'; readonly reason: string }
  | { readonly kind: 'disconnected'; readonly reason: string }
  | { readonly kind: 'reconnected'; readonly position: number }
  | { readonly kind: 'end'; readonly end: EndMessage };

export interface StreamOptions {
  readonly config: CliConfig;
  readonly execId: string;
  readonly signal: AbortSignal;
  readonly reconnectWindowMs?: number;
}

/**
 * Follows an exec from its first byte to its end over as many connections as it takes. Each resumes after the last
 * position that was handed out, and every payload is checked to continue its stream: no gap, no double. It never
 * gives up because the exec is slow, only because the API is away for too long.
 */
export async function* streamExec(options: StreamOptions): AsyncGenerator<StreamEvent> {
  const cursor = new Cursor();
  const windowMs = options.reconnectWindowMs ?? RECONNECT_WINDOW_MS;
  let pauseMs = RECONNECT_PAUSE_MS_MIN;
  let awaySince: number | undefined;
  for (;;) {
    try {
      for await (const event of openExecSocket(
        options.config,
        options.execId,
        cursor.position,
        options.signal,
      )) {
        if (event.kind === 'subscribed') {
          if (awaySince !== undefined) yield { kind: 'reconnected', position: cursor.position };
          awaySince = undefined;
          pauseMs = RECONNECT_PAUSE_MS_MIN;
          continue;
        }
        yield cursor.advance(event);
        if (event.kind === 'end') return;
      }
    } catch (error) {
      if (!(error instanceof ConnectionLostError)) throw error;
      if (awaySince === undefined) yield { kind: 'disconnected', reason: error.message };
      awaySince ??= performance.now();
      if (performance.now() - awaySince > windowMs) throw givenUp(options.execId, error);
    }
    await delay(pauseMs, undefined, { signal: options.signal });
    pauseMs = Math.min(pauseMs * 2, RECONNECT_PAUSE_MS_MAX);
  }
}

class Cursor {
  position = 0;
  private mismatches = 0;
  private readonly nextOffset = new Map<OutputStream, number>();

  advance(event: Exclude<SocketEvent, { kind: 'subscribed' }>): StreamEvent {
    if (event.kind !== 'output') return event;
    const { stream, streamOffset, payload, position } = event.message;
    const expected = this.nextOffset.get(stream) ?? 0;
    if (streamOffset !== expected) {
      this.mismatches += 1;
      const what = `${stream} went on at byte ${streamOffset} instead of ${expected}`;
      throw this.mismatches > MISMATCHES_MAX
        ? new CliError(`The output has a hole: ${what}.`)
        : new ConnectionLostError(what);
    }
    this.mismatches = 0;
    this.nextOffset.set(stream, expected + payload.byteLength);
    this.position = position;
    return { kind: 'output', stream, bytes: payload, position };
  }
}

function givenUp(execId: string, cause: Error): CliError {
  return new CliError(
    `The API did not come back: ${cause.message}.`,
    `The exec goes on without this terminal. Later: berth exec output ${execId} --follow`,
    { cause },
  );
}
