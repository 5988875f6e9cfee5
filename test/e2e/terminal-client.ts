import WebSocket from 'ws';
import { runningStack } from '../stack/running-stack.js';
import { secretHeader } from './api-client.js';

const RECONNECT_MS = 200;
const EVENTUAL_MS = 90_000;

export type TerminalStatus = Readonly<Record<string, unknown>> & { readonly kind: string };

/** A client of the terminal socket, which comes again with its position and its input whenever it is cut off. */
export class TerminalClient {
  readonly statuses: TerminalStatus[] = [];
  connections = 0;
  private output: Buffer[] = [];
  private position = 0;
  private nextOffset = 0;
  private input = Buffer.alloc(0);
  private applied = 0;
  private socket: WebSocket | undefined;
  private isClosed = false;
  private changed: () => void = () => undefined;

  constructor(
    private readonly execId: string,
    private readonly writer?: string,
  ) {
    this.connect();
  }

  get shown(): string {
    return Buffer.concat(this.output).toString();
  }

  get appliedTo(): number {
    return this.applied;
  }

  type(text: string): void {
    this.input = Buffer.concat([this.input, Buffer.from(text)]);
    this.sendInput(this.input.byteLength - Buffer.byteLength(text));
  }

  async take(): Promise<void> {
    await this.status('open');
    this.socket?.send(Buffer.of(5));
  }

  resize(columns: number, rows: number): void {
    const message = Buffer.alloc(5);
    message.writeUInt8(2, 0);
    message.writeUInt16BE(columns, 1);
    message.writeUInt16BE(rows, 3);
    this.socket?.send(message);
  }

  close(): void {
    this.isClosed = true;
    this.socket?.terminate();
  }

  /** Waits until it is true of what has come so far. */
  async until(condition: () => boolean): Promise<void> {
    const giveUpAt = Date.now() + EVENTUAL_MS;
    while (!condition()) {
      if (Date.now() > giveUpAt) {
        throw new Error(`Never true of ${JSON.stringify({ shown: this.shown, statuses: this.statuses })}`);
      }
      await Promise.race([
        new Promise<void>((resolve) => (this.changed = resolve)),
        new Promise((resolve) => setTimeout(resolve, RECONNECT_MS)),
      ]);
    }
  }

  async status(kind: string, more: Readonly<Record<string, unknown>> = {}): Promise<TerminalStatus> {
    const find = () =>
      this.statuses.find(
        (one) => one.kind === kind && Object.entries(more).every(([name, value]) => one[name] === value),
      );
    await this.until(() => find() !== undefined);
    return find() as TerminalStatus;
  }

  private connect(): void {
    const writer = this.writer === undefined ? '' : `&writer=${this.writer}`;
    const url = new URL(
      `/v1/execs/${this.execId}/terminal?after=${this.position}${writer}`,
      runningStack().apiUrl,
    );
    url.protocol = 'ws:';
    const socket = new WebSocket(url, { headers: secretHeader() });
    this.socket = socket;
    socket.on('open', () => {
      this.connections += 1;
      this.sendInput(this.applied);
    });
    socket.on('message', (data: Buffer) => this.receive(data));
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      if (code === 1000) this.isClosed = true;
      if (!this.isClosed) setTimeout(() => this.connect(), RECONNECT_MS);
    });
  }

  private sendInput(from: number): void {
    if (this.socket?.readyState !== WebSocket.OPEN || from >= this.input.byteLength) return;
    const header = Buffer.alloc(9);
    header.writeUInt8(1, 0);
    header.writeBigUInt64BE(BigInt(from), 1);
    this.socket.send(Buffer.concat([header, this.input.subarray(from)]));
  }

  private receive(data: Buffer): void {
    const type = data.readUInt8(0);
    if (type === 0) this.takeOutput(data);
    if (type === 3) this.statuses.push(JSON.parse(data.subarray(1).toString()) as TerminalStatus);
    if (type === 4) this.applied = Number(data.readBigUInt64BE(1));
    this.changed();
  }

  private takeOutput(data: Buffer): void {
    const offset = Number(data.readBigUInt64BE(9));
    const bytes = data.subarray(17);
    if (offset !== this.nextOffset) throw new Error(`Byte ${offset} follows ${this.nextOffset}.`);
    this.nextOffset += bytes.byteLength;
    this.position = Number(data.readBigUInt64BE(1));
    this.output.push(bytes);
  }
}
