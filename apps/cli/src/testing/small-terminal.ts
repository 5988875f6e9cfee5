import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';

/** A terminal server of a few lines: it applies what its one writer types, and shows what a test lets it show. */
export class SmallTerminal {
  input = '';
  readonly sizes: string[] = [];
  readonly dials: { readonly after: number; readonly writer: string | null }[] = [];
  /** Bytes that it applies without saying so, as when it dies in between. */
  muteAfter = Infinity;
  private writer: string | null = null;
  private shown = Buffer.alloc(0);
  private server: Server | undefined;
  private port = 0;
  private sockets: WebSocketServer | undefined;

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.server = createServer();
    this.sockets = new WebSocketServer({ server: this.server });
    this.sockets.on('connection', (socket, request) => this.greet(socket, request));
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => (this.server ? this.server.close(() => resolve()) : resolve()));
  }

  /** As when the API is killed. */
  cut(): void {
    for (const socket of this.sockets?.clients ?? []) socket.terminate();
  }

  /** The position is the byte, which is simpler than frames and all that a client may know of it. */
  show(text: string): void {
    const from = this.shown.byteLength;
    this.shown = Buffer.concat([this.shown, Buffer.from(text)]);
    for (const socket of this.sockets?.clients ?? []) this.showTo(socket, from);
  }

  end(exitCode: number): void {
    this.tellAll({ kind: 'end', state: exitCode === 0 ? 'succeeded' : 'failed', exitCode, signal: null });
    for (const socket of this.sockets?.clients ?? []) socket.close(1000);
  }

  takenBy(writer: string): void {
    this.writer = writer;
    this.tellAll({ kind: 'writer', writer: false, appliedTo: this.input.length });
  }

  private greet(socket: WebSocket, request: IncomingMessage): void {
    const { searchParams } = new URL(request.url ?? '', 'http://small');
    const writer = searchParams.get('writer');
    const after = Number(searchParams.get('after'));
    this.dials.push({ after, writer });
    tell(socket, { kind: 'open', state: 'running' });
    this.tellWriter(socket, writer);
    if (after < this.shown.byteLength) this.showTo(socket, after);
    socket.on('message', (data: Buffer) => this.hear(socket, writer, data));
  }

  private hear(socket: WebSocket, writer: string | null, data: Buffer): void {
    const type = data.readUInt8(0);
    if (type === 5) {
      this.writer = writer;
      this.tellWriter(socket, writer);
    }
    if (type === 2) this.sizes.push(`${data.readUInt16BE(1)}x${data.readUInt16BE(3)}`);
    if (type === 1 && writer === this.writer) this.apply(socket, data);
  }

  private apply(socket: WebSocket, data: Buffer): void {
    const offset = Number(data.readBigUInt64BE(1));
    if (offset > this.input.length) throw new Error('The client left a gap.');
    this.input += data.subarray(9 + this.input.length - offset).toString();
    if (this.input.length > this.muteAfter) return;
    const applied = Buffer.alloc(9);
    applied.writeUInt8(4, 0);
    applied.writeBigUInt64BE(BigInt(this.input.length), 1);
    socket.send(applied);
  }

  private tellWriter(socket: WebSocket, writer: string | null): void {
    const may = writer !== null && (this.writer === null || this.writer === writer);
    tell(socket, { kind: 'writer', writer: may, appliedTo: this.input.length });
  }

  private tellAll(status: object): void {
    for (const socket of this.sockets?.clients ?? []) tell(socket, status);
  }

  private showTo(socket: WebSocket, from: number): void {
    const header = Buffer.alloc(17);
    header.writeBigUInt64BE(BigInt(this.shown.byteLength), 1);
    header.writeBigUInt64BE(BigInt(from), 9);
    socket.send(Buffer.concat([header, this.shown.subarray(from)]));
  }
}

function tell(socket: WebSocket, status: object): void {
  socket.send(Buffer.concat([Buffer.of(3), Buffer.from(JSON.stringify(status))]));
}
