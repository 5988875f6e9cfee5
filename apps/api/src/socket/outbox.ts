import type { WebSocket } from 'ws';
import { BUFFERED_BYTES_MAX } from './socket-limits.js';

export type OutgoingBytes = Buffer | readonly [Buffer, Uint8Array];

/** What one socket still has to send, and who waits until there is room: backpressure that reaches the database. */
export class Outbox {
  private bufferedBytes = 0;
  private sentMessages = 0;
  private closed = false;
  private waiting: Array<() => void> = [];
  private lastTurn: Promise<void> = Promise.resolve();

  constructor(private readonly socket: WebSocket) {
    socket.once('close', () => {
      this.closed = true;
      this.wakeAll();
    });
  }

  /** Grows with every message that has left the process: a sign of life of a slow reader. */
  get progress(): number {
    return this.sentMessages;
  }

  /** A message in parts goes out as that many fragments, without being copied together. */
  send(message: object | OutgoingBytes): void {
    if (this.closed || this.socket.readyState !== this.socket.OPEN) return;
    const parts = partsOf(message) ?? [Buffer.from(JSON.stringify(message))];
    const binary = partsOf(message) !== undefined;
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
    this.bufferedBytes += bytes;
    parts.forEach((part, n) => {
      if (n < parts.length - 1) return this.socket.send(part, { binary, fin: false });
      this.socket.send(part, { binary }, () => {
        this.bufferedBytes -= bytes;
        this.sentMessages += 1;
        if (this.bufferedBytes < BUFFERED_BYTES_MAX) this.wakeAll();
      });
    });
  }

  /** Resolves when the next message may be sent, or when the socket has closed. */
  async room(): Promise<void> {
    while (!this.closed && this.bufferedBytes >= BUFFERED_BYTES_MAX) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  /** One reader at a time holds fetched output, however many subscriptions there are. */
  async turn(): Promise<() => void> {
    const before = this.lastTurn;
    let release: () => void = () => undefined;
    this.lastTurn = new Promise((resolve) => (release = resolve));
    await before;
    await this.room();
    return release;
  }

  private wakeAll(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const resume of waiting) resume();
  }
}

/** Undefined for what is sent as JSON. */
function partsOf(message: object | OutgoingBytes): readonly Uint8Array[] | undefined {
  if (Buffer.isBuffer(message)) return [message];
  return Array.isArray(message) ? (message as readonly Uint8Array[]) : undefined;
}
