import { on, once } from 'node:events';
import { WebSocket } from 'ws';
import type { CliConfig } from '../config.js';
import { ConnectionLostError } from '../stream/exec-socket.js';
import { CliError } from '../terminal/cli-error.js';
import { decodeTerminalMessage, type TerminalMessage } from './terminal-message.js';

const HANDSHAKE_TIMEOUT_MS = 5_000;
/** The server pings every 25 s; a connection that is silent for longer than two of them is dead. */
const SILENCE_MS_MAX = 60_000;
const BUFFERED_MESSAGES_MAX = 64;
const BUFFERED_MESSAGES_LOW = 16;
const CLOSE_NORMALLY = 1000;
const CLOSE_TIMEOUT_MS = 1_000;
const MESSAGE_BYTES_MAX = 2 * 1_024 * 1_024;
/** Closings that another attempt would meet again. */
const FINAL_CLOSE_CODES: ReadonlySet<number> = new Set([4400, 4401, 4404, 4409]);

export interface TerminalAddress {
  readonly config: CliConfig;
  readonly execId: string;
  readonly after: number;
  /** Without it this client only looks. */
  readonly writer: string | undefined;
  readonly signal: AbortSignal;
}

/** One connection to a terminal. What cannot be sent because it has broken is sent over the next one. */
export class TerminalConnection {
  /** From the first moment on: the server speaks first. */
  private readonly received: AsyncIterable<[Buffer, boolean]>;
  private closing: { readonly code: number; readonly reason: string } | undefined;

  private constructor(
    private readonly socket: WebSocket,
    signal: AbortSignal,
  ) {
    this.received = on(socket, 'message', {
      signal,
      close: ['close'],
      highWaterMark: BUFFERED_MESSAGES_MAX,
      lowWaterMark: BUFFERED_MESSAGES_LOW,
    }) as AsyncIterable<[Buffer, boolean]>;
    // What a socket reports is also its end; without a listener it would end this program.
    socket.on('error', () => undefined);
    socket.on('close', (code, reason) => (this.closing = { code, reason: reason.toString() }));
  }

  /** Throws ConnectionLostError where another attempt is worth it. */
  static async open({ config, execId, after, writer, signal }: TerminalAddress): Promise<TerminalConnection> {
    const query = new URLSearchParams({ after: String(after), ...(writer === undefined ? {} : { writer }) });
    const base = config.url.replace(/^http/, 'ws');
    const url = `${base}/v1/execs/${encodeURIComponent(execId)}/terminal?${query.toString()}`;
    const socket = new WebSocket(url, {
      headers: { 'X-Admin-Secret': config.adminSecret },
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      maxPayload: MESSAGE_BYTES_MAX,
    });
    const connection = new TerminalConnection(socket, signal);
    try {
      await once(socket, 'open', { signal });
      return connection;
    } catch (error) {
      socket.terminate();
      signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : 'no connection';
      throw /: 40[0-9]$/.test(reason)
        ? new CliError(`The API refused the terminal (${reason}).`)
        : new ConnectionLostError(reason, { cause: error });
    }
  }

  send(message: Buffer): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(message);
  }

  /** Ends when the server has closed for good; throws ConnectionLostError when the connection broke. */
  async *messages(): AsyncGenerator<TerminalMessage> {
    const silence = setTimeout(() => this.socket.terminate(), SILENCE_MS_MAX);
    const heard = (): unknown => silence.refresh();
    this.socket.on('message', heard).on('ping', heard);
    try {
      for await (const [data, isBinary] of this.received) {
        const message = isBinary ? decodeTerminalMessage(data) : undefined;
        if (message) yield message;
      }
    } finally {
      clearTimeout(silence);
    }
    const { code, reason } = this.closing ?? { code: 1006, reason: '' };
    if (code === 1000) return;
    const text = `closed with ${code} ${reason}`.trim();
    throw FINAL_CLOSE_CODES.has(code)
      ? new CliError(`The API ended the terminal: ${text}.`)
      : new ConnectionLostError(text);
  }

  /** What was typed last still goes out. */
  close(): void {
    this.socket.close(CLOSE_NORMALLY);
    setTimeout(() => this.socket.terminate(), CLOSE_TIMEOUT_MS).unref();
  }
}
