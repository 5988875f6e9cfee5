import { on, once } from 'node:events';
import { WebSocket } from 'ws';
import { z } from 'zod';
import type { CliConfig } from '../config.js';
import { CliError } from '../terminal/cli-error.js';
import { decodeOutputMessage, type OutputMessage } from './output-message.js';

const HANDSHAKE_TIMEOUT_MS = 5_000;
/** The server pings every 25 s; a connection that is silent for longer than two of them is dead. */
const SILENCE_MS_MAX = 60_000;
/** Messages that may wait for a slow terminal before the socket is made to wait too. */
const BUFFERED_MESSAGES_MAX = 64;
const BUFFERED_MESSAGES_LOW = 16;
const MESSAGE_BYTES_MAX = 2 * 1_024 * 1_024;
const SUBSCRIPTION_ID = 's1';

/** Refusals that another attempt would meet again. */
const FINAL_HTTP_STATUSES: ReadonlySet<number> = new Set([400, 401, 403, 404]);
const TRANSIENT_CODES: ReadonlySet<string> = new Set(['dependency_unavailable', 'internal', 'rate_limited']);

export const EndMessage = z.looseObject({
  t: z.literal('end'),
  state: z.string(),
  exitCode: z.number().int().nullable(),
  signal: z.string().nullable(),
  exec: z
    .looseObject({
      failure: z.looseObject({ code: z.string(), message: z.string() }).nullable(),
      exitRecord: z
        .looseObject({ startFailure: z.looseObject({ code: z.string() }).nullable().optional() })
        .nullable(),
    })
    .optional(),
});
export type EndMessage = z.infer<typeof EndMessage>;

const ControlMessage = z.discriminatedUnion('t', [
  z.looseObject({ t: z.literal('ack') }),
  z.looseObject({ t: z.literal('ev'), state: z.string().optional() }),
  EndMessage,
  z.looseObject({
    t: z.literal('err'),
    code: z.string(),
    message: z.string().optional(),
    /** The subscription lives on, and the server goes on trying. */
    retrying: z.boolean().optional(),
  }),
]);

export type SocketEvent =
  | { readonly kind: 'subscribed' }
  | { readonly kind: 'state'; readonly state: string }
  | { readonly kind: 'output'; readonly message: OutputMessage }
  | { readonly kind: 'outage'; readonly reason: string }
  | { readonly kind: 'end'; readonly end: EndMessage };

/** The connection ended, or never came about, for a reason that may pass. */
export class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError';
}

/**
 * One connection that follows one exec from `after`. It ends after the `end` event; anything else is thrown:
 * ConnectionLostError when another attempt is worth it, CliError when it is not.
 */
export async function* openExecSocket(
  config: CliConfig,
  execId: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<SocketEvent> {
  const socket = new WebSocket(`${config.url.replace(/^http/, 'ws')}/v1/ws`, {
    headers: { 'X-Admin-Secret': config.adminSecret },
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    maxPayload: MESSAGE_BYTES_MAX,
  });
  const watch = watchSilence(socket);
  let closing = 'the connection was closed';
  let socketError: Error | undefined;
  // Stays until the end: what is still reported by a socket that nobody reads is of no interest.
  socket.on('error', (error) => (socketError ??= error));
  socket.on('close', (code, reason) => {
    closing = `closed with ${code} ${reason.toString()}`.trim();
  });
  try {
    await opened(socket, signal);
    const messages = on(socket, 'message', {
      signal,
      close: ['close'],
      highWaterMark: BUFFERED_MESSAGES_MAX,
      lowWaterMark: BUFFERED_MESSAGES_LOW,
    }) as AsyncIterable<[Buffer, boolean]>;
    socket.send(JSON.stringify({ t: 'sub', id: SUBSCRIPTION_ID, topic: `exec:${execId}`, after }));
    for await (const [data, isBinary] of messages) {
      const event = isBinary ? outputOf(data) : controlOf(data.toString('utf8'));
      if (event === undefined) continue;
      yield event;
      if (event.kind === 'end') return;
    }
    throw new ConnectionLostError(closing);
  } catch (error) {
    throw translated(error, socketError, signal);
  } finally {
    watch.stop();
    socket.terminate();
  }
}

async function opened(socket: WebSocket, signal: AbortSignal): Promise<void> {
  socket.on('unexpected-response', (request, response) => {
    const status = response.statusCode ?? 0;
    request.destroy();
    socket.emit(
      'error',
      FINAL_HTTP_STATUSES.has(status)
        ? new CliError(
            `The API refused the WebSocket with ${status}.`,
            'Check --admin-secret or BERTH_ADMIN_SECRET.',
          )
        : new ConnectionLostError(`the API answered ${status}`),
    );
  });
  await once(socket, 'open', { signal });
}

function outputOf(data: Buffer): SocketEvent {
  const message = decodeOutputMessage(data);
  if (message === undefined)
    throw new CliError('The API sent output that this CLI does not understand.', 'Update it.');
  return { kind: 'output', message };
}

/** Undefined for what this CLI has no use for: a newer server may say more. */
function controlOf(text: string): SocketEvent | undefined {
  const parsed = ControlMessage.safeParse(JSON.parse(text));
  if (!parsed.success) return undefined;
  const message = parsed.data;
  switch (message.t) {
    case 'ack':
      return { kind: 'subscribed' };
    case 'ev':
      return message.state === undefined ? undefined : { kind: 'state', state: message.state };
    case 'end':
      return { kind: 'end', end: message };
    case 'err': {
      const what = `${message.message ?? 'The subscription was refused.'} (${message.code})`;
      if (message.retrying === true) return { kind: 'outage', reason: what };
      throw TRANSIENT_CODES.has(message.code) ? new ConnectionLostError(what) : new CliError(what);
    }
  }
}

/** What the socket itself reported may pass; everything else is a refusal or a bug and is passed on. */
function translated(error: unknown, socketError: Error | undefined, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (socketError === undefined || error !== socketError) return error;
  if (error instanceof CliError || error instanceof ConnectionLostError) return error;
  const reason = socketError.message || ((socketError as NodeJS.ErrnoException).code ?? 'no connection');
  return new ConnectionLostError(reason, { cause: socketError });
}

function watchSilence(socket: WebSocket): { stop(): void } {
  const timer = setTimeout(() => socket.terminate(), SILENCE_MS_MAX);
  const heard = (): unknown => timer.refresh();
  socket.on('message', heard).on('ping', heard).on('open', heard);
  return { stop: () => clearTimeout(timer) };
}
