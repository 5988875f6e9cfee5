import { connect, type Socket } from 'node:net';
import { runningStack } from '../../stack/running-stack.js';

/** One connection on which a test says exactly what it wants to, as no client library would. */
export class RawConnection {
  private received = '';
  private readonly socket: Socket;
  readonly ended: Promise<void>;

  constructor() {
    const { hostname, port } = new URL(runningStack().apiUrl);
    this.socket = connect(Number(port), hostname);
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => (this.received += text));
    // What is cut off has ended, too.
    this.socket.on('error', () => undefined);
    this.ended = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  get isOpen(): boolean {
    return !this.socket.destroyed;
  }

  /** Resolves once the system has taken it, or the connection has gone. */
  async say(bytes: string | Uint8Array): Promise<void> {
    if (!this.isOpen) return;
    await Promise.race([
      new Promise<void>((resolve) => this.socket.write(bytes, 'latin1', () => resolve())),
      this.ended,
    ]);
  }

  /** The status of each answer that has come so far. */
  get statuses(): readonly number[] {
    return [...this.received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  }

  async answers(count: number, withinMs = 60_000): Promise<readonly number[]> {
    const giveUpAt = Date.now() + withinMs;
    while (this.statuses.length < count && this.isOpen && Date.now() < giveUpAt) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return this.statuses;
  }

  /** All that was said to it until the other end hung up. Fails where it does not. */
  async untilClosed(withinMs: number): Promise<string> {
    const late = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error(`It is still open after ${withinMs} ms.`)), withinMs).unref();
    });
    await Promise.race([this.ended, late]);
    return this.received;
  }

  close(): void {
    this.socket.destroy();
  }
}
