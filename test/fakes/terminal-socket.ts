import type { WebSocket } from 'ws';

type Status = Readonly<Record<string, unknown>>;

/** A client of the terminal socket of the API that remembers what it got. */
export class TerminalSocket {
  readonly closed: Promise<number>;
  readonly applied: number[] = [];
  shown = '';
  position = 0;
  private readonly statuses: Status[] = [];
  private arrived: () => void = () => undefined;

  constructor(readonly socket: WebSocket) {
    this.closed = new Promise((resolve) => socket.once('close', (code) => resolve(code)));
    socket.on('message', (data: Buffer, isBinary) => this.receive(data, isBinary));
  }

  type(offset: number, text: string | Uint8Array): void {
    const header = Buffer.alloc(9);
    header.writeUInt8(1, 0);
    header.writeBigUInt64BE(BigInt(offset), 1);
    this.socket.send(Buffer.concat([header, Buffer.from(text as string)]));
  }

  resize(columns: number, rows: number): void {
    const message = Buffer.alloc(5);
    message.writeUInt8(2, 0);
    message.writeUInt16BE(columns, 1);
    message.writeUInt16BE(rows, 3);
    this.socket.send(message);
  }

  take(): void {
    this.socket.send(Buffer.of(5));
  }

  /** The next status of this kind; others before it are passed over. */
  async status(kind: string): Promise<Status> {
    for (;;) {
      const status = this.statuses.shift();
      if (status?.['kind'] === kind) return status;
      if (status === undefined) await this.something();
    }
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.something();
  }

  private async something(): Promise<void> {
    await new Promise<void>((resolve) => (this.arrived = resolve));
  }

  private receive(data: Buffer, isBinary: boolean): void {
    const type = isBinary ? data.readUInt8(0) : undefined;
    if (type === 0) {
      this.shown += data.subarray(17).toString();
      this.position = Number(data.readBigUInt64BE(1));
    }
    if (type === 3) this.statuses.push(JSON.parse(data.subarray(1).toString()) as Status);
    if (type === 4) this.applied.push(Number(data.readBigUInt64BE(1)));
    this.arrived();
  }
}
