import type { RawData, WebSocket } from 'ws';

type Message = Readonly<Record<string, unknown>>;

/** A client of the WebSocket of the API that remembers what it got. */
export class SocketClient {
  readonly output: Array<{ stream: number; position: number; offset: number; text: string }> = [];
  readonly texts: Array<{ position: number; data: string }> = [];
  readonly closed: Promise<number>;
  closeReason = '';
  private readonly inbox: Message[] = [];
  private arrived: () => void = () => undefined;

  constructor(readonly socket: WebSocket) {
    this.closed = new Promise((resolve) =>
      socket.once('close', (code, reason) => {
        this.closeReason = reason.toString();
        resolve(code);
      }),
    );
    socket.on('message', (data, isBinary) => this.receive(data, isBinary));
  }

  get text(): string {
    return this.texts.map(({ data }) => data).join('');
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  /** The next message of this kind; messages of other kinds before it are passed over. */
  async next(t: string): Promise<Message> {
    for (;;) {
      const message = this.inbox.shift();
      if (message?.['t'] === t) return message;
      if (message === undefined) await new Promise<void>((resolve) => (this.arrived = resolve));
    }
  }

  private receive(data: RawData, isBinary: boolean): void {
    const bytes = data as Buffer;
    if (isBinary) {
      this.output.push({
        stream: bytes.readUInt8(4),
        position: Number(bytes.readBigUInt64BE(5)),
        offset: Number(bytes.readBigUInt64BE(13)),
        text: bytes.subarray(29).toString(),
      });
      return;
    }
    const message = JSON.parse(bytes.toString()) as Message;
    if (message['kind'] === 'output') {
      this.texts.push({ position: Number(message['position']), data: String(message['data']) });
    } else this.inbox.push(message);
    this.arrived();
  }
}
