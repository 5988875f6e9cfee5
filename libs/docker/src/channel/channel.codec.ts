import { DomainError } from '#domain';
import {
  MESSAGE_COUNTED_BYTES,
  MESSAGE_HEADER_BYTES,
  MESSAGE_LENGTH_MAX,
  type ChannelMessage,
} from './channel.protocol.js';

const TEXT = new TextEncoder();

export function encodeMessage(type: number, requestId: number, payload: Uint8Array): Uint8Array {
  const length = MESSAGE_COUNTED_BYTES + payload.byteLength;
  if (length > MESSAGE_LENGTH_MAX) {
    throw new DomainError(
      'payload_too_large',
      `A request to the runner is larger than ${MESSAGE_LENGTH_MAX} bytes.`,
    );
  }
  const bytes = new Uint8Array(MESSAGE_HEADER_BYTES + payload.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length);
  view.setUint8(4, type);
  view.setUint32(5, requestId);
  bytes.set(payload, MESSAGE_HEADER_BYTES);
  return bytes;
}

export function encodeJsonMessage(type: number, requestId: number, value: unknown): Uint8Array {
  return encodeMessage(type, requestId, TEXT.encode(JSON.stringify(value)));
}

/**
 * Cuts what arrives into messages. A payload that arrived in one piece is a view of it; one in several pieces is
 * copied once, into its own memory. Lengths are checked before anything is allocated.
 */
export class MessageDecoder {
  private readonly header = new Uint8Array(MESSAGE_HEADER_BYTES);
  private readonly headerView = new DataView(this.header.buffer);
  private headerFilled = 0;
  private payload: Uint8Array | undefined;
  private payloadFilled = 0;

  constructor(private readonly deliver: (message: ChannelMessage) => void) {}

  /** Throws `runner_protocol` on a message that cannot be one; the stream is useless from there on. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.byteLength) {
      at += this.payload === undefined ? this.takeHeader(chunk, at) : this.takePayload(chunk, at);
    }
  }

  private takeHeader(chunk: Uint8Array, at: number): number {
    const taken = chunk.subarray(at, at + MESSAGE_HEADER_BYTES - this.headerFilled);
    this.header.set(taken, this.headerFilled);
    this.headerFilled += taken.byteLength;
    if (this.headerFilled < MESSAGE_HEADER_BYTES) return taken.byteLength;
    const payloadBytes = this.payloadBytes();
    const rest = chunk.subarray(at + taken.byteLength, at + taken.byteLength + payloadBytes);
    if (rest.byteLength === payloadBytes) {
      this.finish(rest);
      return taken.byteLength + payloadBytes;
    }
    this.payload = new Uint8Array(payloadBytes);
    this.payloadFilled = 0;
    return taken.byteLength;
  }

  private takePayload(chunk: Uint8Array, at: number): number {
    const payload = this.payload as Uint8Array;
    const taken = chunk.subarray(at, at + payload.byteLength - this.payloadFilled);
    payload.set(taken, this.payloadFilled);
    this.payloadFilled += taken.byteLength;
    if (this.payloadFilled === payload.byteLength) this.finish(payload);
    return taken.byteLength;
  }

  private payloadBytes(): number {
    const length = this.headerView.getUint32(0);
    if (length < MESSAGE_COUNTED_BYTES || length > MESSAGE_LENGTH_MAX) {
      throw new DomainError('runner_protocol', `The runner sent a message of ${length} bytes.`);
    }
    return length - MESSAGE_COUNTED_BYTES;
  }

  private finish(payload: Uint8Array): void {
    const message = {
      type: this.headerView.getUint8(4),
      requestId: this.headerView.getUint32(5),
      payload,
    };
    this.headerFilled = 0;
    this.payload = undefined;
    this.deliver(message);
  }
}
