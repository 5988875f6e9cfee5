import WebSocket from 'ws';
import { hasEnded, type Client, type ExecBody } from './client.js';
import type { StreamName } from './expected-bytes.js';
import { pause, textOf } from './pause.js';
import type { Random } from './random.js';
import type { Readings } from './readings.js';

/** The binary message of docs/WEBSOCKET.md: a header, then the payload. */
const HEADER_BYTES = 29;
const STREAM_AT = 4;
const POSITION_AT = 5;
const OFFSET_AT = 13;
const STDERR = 2;
const RECONNECT_MS = 300;
const SILENCE_MS = 30_000;
const CUT_CHANCE = 0.3;
const CUT_MS_MAX = 3_000;

export interface SocketResult {
  readonly connections: number;
  readonly ends: number;
  readonly end: { readonly state: string; readonly exitCode: number | null } | undefined;
  readonly problems: readonly string[];
}

/** Follows an exec over WebSockets. It comes back with the position it had reached, and now and then cuts the connection itself. */
export class SocketReader {
  private readonly reached: Record<StreamName, number> = { stdout: 0, stderr: 0 };
  private readonly problems: string[] = [];
  private position = 0;
  private connections = 0;
  private ends = 0;
  private end: SocketResult['end'];

  constructor(
    private readonly client: Client,
    private readonly readings: Readings,
    private readonly execId: string,
    private readonly random: Random,
  ) {}

  async follow(signal: AbortSignal): Promise<SocketResult> {
    while (!signal.aborted && this.end === undefined && this.problems.length === 0) {
      await this.connectOnce(signal);
      if (this.end === undefined) await pause(RECONNECT_MS, signal);
    }
    const { connections, ends, end, problems } = this;
    return { connections, ends, end, problems };
  }

  private async connectOnce(signal: AbortSignal): Promise<void> {
    const url = this.client.url('/v1/ws');
    url.protocol = 'ws:';
    const socket = new WebSocket(url, { headers: this.client.secretHeader, handshakeTimeout: SILENCE_MS });
    const giveUp = (): void => socket.terminate();
    let silence = setTimeout(giveUp, SILENCE_MS);
    const cut = this.random.chance(CUT_CHANCE)
      ? setTimeout(giveUp, this.random.integer(0, CUT_MS_MAX))
      : undefined;
    signal.addEventListener('abort', giveUp);
    await new Promise<void>((resolve) => {
      socket.on('open', () => this.subscribe(socket));
      socket.on('ping', () => (silence = renew(silence, giveUp)));
      socket.on('message', (data: Buffer, isBinary) => {
        silence = renew(silence, giveUp);
        try {
          if (isBinary) this.takeOutput(data);
          else this.takeMessage(socket, JSON.parse(data.toString()) as Record<string, unknown>);
        } catch (error) {
          this.problems.push(textOf(error));
          socket.terminate();
        }
      });
      // A close follows each error.
      socket.on('error', () => undefined);
      socket.on('close', () => resolve());
    });
    signal.removeEventListener('abort', giveUp);
    clearTimeout(silence);
    clearTimeout(cut);
  }

  private subscribe(socket: WebSocket): void {
    this.connections += 1;
    socket.send(JSON.stringify({ t: 'sub', id: 's', topic: `exec:${this.execId}`, after: this.position }));
  }

  private takeOutput(data: Buffer): void {
    const stream = data.readUInt8(STREAM_AT) === STDERR ? 'stderr' : 'stdout';
    const position = Number(data.readBigUInt64BE(POSITION_AT));
    const offset = Number(data.readBigUInt64BE(OFFSET_AT));
    const bytes = data.subarray(HEADER_BYTES);
    const reader = `socket ${this.connections} after ${this.position}`;
    if (position <= this.position)
      this.problems.push(`the position went from ${this.position} to ${position}`);
    if (offset !== this.reached[stream]) {
      const detail = `at ${this.reached[stream]} came the byte ${offset}`;
      this.readings.add(reader, stream, 'doubled or skipped bytes', detail);
    }
    this.readings.take(reader, stream, offset, bytes);
    this.reached[stream] = offset + bytes.length;
    this.position = position;
  }

  private takeMessage(socket: WebSocket, message: Record<string, unknown>): void {
    if (message['t'] === 'err' && message['retrying'] !== true) {
      // What the server cannot do for now is no fault; that it refuses a position which it gave itself is one.
      const isForNow = ['dependency_unavailable', 'internal'].includes(String(message['code']));
      if (!isForNow) this.problems.push(`the socket answered ${JSON.stringify(message)}`);
      socket.terminate();
    }
    if (message['t'] !== 'end') return;
    this.ends += 1;
    const exec = message['exec'] as ExecBody;
    if (!hasEnded(exec)) this.problems.push(`the end frame has the state ${exec.state}`);
    for (const [stream, total] of [
      ['stdout', exec.stdoutBytes],
      ['stderr', exec.stderrBytes],
    ] as const) {
      if (this.reached[stream] !== total) {
        const detail = `the end came after ${this.reached[stream]} of ${total} bytes`;
        this.readings.add(`socket ${this.connections}`, stream, 'bytes are gone', detail);
      }
    }
    this.end = { state: exec.state, exitCode: exec.exitCode };
    socket.close();
  }
}

function renew(timer: NodeJS.Timeout, action: () => void): NodeJS.Timeout {
  clearTimeout(timer);
  return setTimeout(action, SILENCE_MS);
}
