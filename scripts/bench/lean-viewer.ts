import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { RunningInstance } from './running-instance.js';

/** All viewers of a process read into the same memory: what they read is counted and not kept. */
const SCRATCH = Buffer.alloc(1_024 * 1_024);
const TEXT = 1;
const BINARY = 2;
const HEADER_BYTES_MAX = 10;
/** In front of each piece of output, see docs/WEBSOCKET.md. */
const OUTPUT_HEADER_BYTES = 29;
const CONNECT_MS_MAX = 10_000;

/**
 * A viewer that costs next to nothing, so that a hundred of them measure the server and not themselves: it takes the frames of
 * the WebSocket apart, counts the bytes of output and reads only what is text.
 */
export class LeanViewer {
  outputBytes = 0;
  /** Resolves at the end of the exec; rejects where the connection breaks before. */
  readonly ended: Promise<void>;
  private settle: { resolve(): void; reject(error: Error): void } = { resolve() {}, reject() {} };
  private readonly header = Buffer.alloc(HEADER_BYTES_MAX);
  private headerFilled = 0;
  private payloadLeft = 0;
  private text = '';
  private opcode = 0;
  private upgraded = '';
  private isOpen = false;
  private readonly socket: Socket;

  constructor(
    instance: RunningInstance,
    private readonly execId: string,
  ) {
    const { hostname, port } = new URL(instance.apiUrl);
    this.ended = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    // Whoever watches a stalled viewer does not wait for its end.
    this.ended.catch(() => undefined);
    this.socket = connect({
      host: hostname,
      port: Number(port),
      onread: { buffer: SCRATCH, callback: (count, buffer) => this.take(buffer.subarray(0, count)) },
    });
    this.socket.setTimeout(CONNECT_MS_MAX, () => {
      if (!this.isOpen) this.socket.destroy(new Error('The API did not open the WebSocket in time.'));
    });
    this.socket.on('error', (error) => this.settle.reject(error));
    this.socket.on('close', () => this.settle.reject(new Error('The viewer was cut off.')));
    this.socket.write(
      [
        'GET /v1/ws HTTP/1.1',
        `Host: ${hostname}`,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
        `X-Admin-Secret: ${instance.adminSecret}`,
        '\r\n',
      ].join('\r\n'),
    );
  }

  /** From here on nothing is read. */
  stall(): void {
    this.socket.pause();
  }

  close(): void {
    this.socket.destroy();
  }

  private take(bytes: Uint8Array): boolean {
    let rest = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (!this.isOpen) rest = this.open(rest);
    while (rest.byteLength > 0)
      rest = this.payloadLeft === 0 ? this.takeHeader(rest) : this.takePayload(rest);
    return true;
  }

  private open(bytes: Buffer): Buffer {
    this.upgraded += bytes.toString('latin1');
    const end = this.upgraded.indexOf('\r\n\r\n');
    if (end < 0) return bytes.subarray(bytes.byteLength);
    if (!this.upgraded.startsWith('HTTP/1.1 101')) {
      this.socket.destroy(new Error(`The API refused the WebSocket: ${this.upgraded.slice(0, 100)}`));
      return bytes.subarray(bytes.byteLength);
    }
    this.isOpen = true;
    this.send({ t: 'sub', id: 'v', topic: `exec:${this.execId}`, after: 0 });
    const before = this.upgraded.length - bytes.byteLength;
    return bytes.subarray(end + 4 - before);
  }

  /** A client's frames are masked; with zeros as the mask they are what they were. */
  private send(message: object): void {
    const payload = Buffer.from(JSON.stringify(message));
    const header = Buffer.from([
      0x80 | TEXT,
      0x80 | 126,
      payload.byteLength >> 8,
      payload.byteLength & 255,
      0,
      0,
      0,
      0,
    ]);
    this.socket.write(Buffer.concat([header, payload]));
  }

  private takeHeader(bytes: Buffer): Buffer {
    let at = 0;
    let needed = this.headerNeeded();
    while (at < bytes.byteLength && this.headerFilled < needed) {
      this.header[this.headerFilled] = bytes[at] as number;
      this.headerFilled += 1;
      at += 1;
      needed = this.headerNeeded();
    }
    if (this.headerFilled < needed) return bytes.subarray(at);
    const short = (this.header[1] as number) & 127;
    this.payloadLeft =
      short < 126
        ? short
        : short === 126
          ? this.header.readUInt16BE(2)
          : Number(this.header.readBigUInt64BE(2));
    this.headerFilled = 0;
    const opcode = (this.header[0] as number) & 15;
    if (opcode === BINARY) this.outputBytes -= OUTPUT_HEADER_BYTES;
    // A fragment that continues is of the kind that the first one was.
    if (opcode !== 0) this.opcode = opcode;
    if (this.payloadLeft === 0) this.finishFrame();
    return bytes.subarray(at);
  }

  private headerNeeded(): number {
    if (this.headerFilled < 2) return 2;
    const short = (this.header[1] as number) & 127;
    return short < 126 ? 2 : short === 126 ? 4 : HEADER_BYTES_MAX;
  }

  private takePayload(bytes: Buffer): Buffer {
    const taken = bytes.subarray(0, this.payloadLeft);
    this.payloadLeft -= taken.byteLength;
    if (this.opcode === BINARY) this.outputBytes += taken.byteLength;
    if (this.opcode === TEXT) this.text += taken.toString('latin1');
    if (this.payloadLeft === 0) this.finishFrame();
    return bytes.subarray(taken.byteLength);
  }

  private finishFrame(): void {
    if (this.opcode !== TEXT) return;
    const message = JSON.parse(this.text) as { t: string; code?: string; state?: string };
    this.text = '';
    if (message.t === 'end') this.settle.resolve();
    if (message.t === 'err') this.settle.reject(new Error(`The API answered ${message.code ?? 'err'}.`));
  }
}
