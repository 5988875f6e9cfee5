import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { OUTPUT_HEADER_BYTES } from '../stream/output-message.js';

/** What a subscriber asked for, and how to answer it. */
export interface Subscription {
  readonly after: number;
  readonly socket: WebSocket;
  ack(): void;
  output(stream: 1 | 2, streamOffset: number, text: string, position: number): void;
  end(end: { state: string; exitCode: number | null; signal: string | null; exec?: object }): void;
}

export type Respond = (
  request: IncomingMessage,
  body: string,
) => { status: number; body: unknown } | undefined;

/** A real HTTP and WebSocket server of a few lines that plays the API's part of the wire contract. */
export class SmallApi {
  readonly subscriptions: Subscription[] = [];
  private server: Server | undefined;
  private port = 0;
  private sockets: WebSocketServer | undefined;

  constructor(
    private readonly onSubscribe: (subscription: Subscription, attempt: number) => void,
    private readonly respond: Respond = () => undefined,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts, or starts again on the same port. */
  async start(): Promise<void> {
    this.server = createServer((request, response) => void this.answer(request, response));
    this.sockets = new WebSocketServer({ server: this.server, path: '/v1/ws' });
    this.sockets.on('connection', (socket) => {
      socket.on('message', (data) => this.subscribe(socket, (data as Buffer).toString('utf8')));
    });
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const { server } = this;
    for (const socket of this.sockets?.clients ?? []) socket.terminate();
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server?.listening ? server.close(() => resolve()) : resolve()));
  }

  private subscribe(socket: WebSocket, text: string): void {
    const message = JSON.parse(text) as { t: string; id: string; topic: string; after: number };
    const send = (value: object): void => socket.send(JSON.stringify({ id: message.id, ...value }));
    const subscription: Subscription = {
      after: message.after,
      socket,
      ack: () => send({ t: 'ack', subscription: 1 }),
      output: (stream, streamOffset, payload, position) =>
        socket.send(outputMessage(stream, streamOffset, payload, position)),
      end: (end) => send({ t: 'end', ...end }),
    };
    this.subscriptions.push(subscription);
    this.onSubscribe(subscription, this.subscriptions.length);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const answer = this.respond(request, Buffer.concat(chunks).toString('utf8'));
    const { status, body } = answer ?? {
      status: 404,
      body: { status: 404, code: 'not_found', detail: 'Not found.' },
    };
    if (Buffer.isBuffer(body)) response.writeHead(status).end(body);
    else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }
}

function outputMessage(stream: number, streamOffset: number, text: string, position: number): Buffer {
  const header = Buffer.alloc(OUTPUT_HEADER_BYTES);
  header.writeUInt32BE(1, 0);
  header.writeUInt8(stream, 4);
  header.writeBigUInt64BE(BigInt(position), 5);
  header.writeBigUInt64BE(BigInt(streamOffset), 13);
  return Buffer.concat([header, Buffer.from(text)]);
}
