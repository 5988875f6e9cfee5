import { DomainError, limits, type TerminalSize } from '#domain';
import type { PlacedFrame } from '../output/frame-position.js';

/** The binary messages of docs/WEBSOCKET.md, section Terminals: one byte says which. All integers are big-endian. */
const TYPE = { output: 0, input: 1, resize: 2, status: 3, applied: 4, take: 5 } as const;

const OFFSET_BYTES = 8;
/** One input message; a client that has more sends several. */
const INPUT_BYTES_MAX = 32 * 1_024;

export type ClientFrame =
  | { readonly kind: 'input'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'resize'; readonly size: TerminalSize }
  | { readonly kind: 'take' };

/** Throws `bad_request` for anything else. Input is a view. */
export function decodeClientFrame(message: Uint8Array): ClientFrame {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const length = message.byteLength - 1;
  const type = length < 0 ? undefined : view.getUint8(0);
  if (type === TYPE.take && length === 0) return { kind: 'take' };
  if (type === TYPE.resize && length === 4) {
    return { kind: 'resize', size: { columns: side(view.getUint16(1)), rows: side(view.getUint16(3)) } };
  }
  const isInput = type === TYPE.input && length > OFFSET_BYTES && length <= OFFSET_BYTES + INPUT_BYTES_MAX;
  const offset = isInput ? Number(view.getBigUint64(1)) : Number.NaN;
  if (Number.isSafeInteger(offset))
    return { kind: 'input', offset, bytes: message.subarray(1 + OFFSET_BYTES) };
  throw new DomainError(
    'bad_request',
    `Send input (1, at most ${INPUT_BYTES_MAX} bytes), a size (2) or a take (5).`,
  );
}

const side = (value: number): number => Math.min(Math.max(value, 1), limits.TERMINAL_SIZE_MAX);

export function encodeOutput({ frame, positionAfter }: PlacedFrame): Buffer {
  const message = Buffer.allocUnsafe(1 + 2 * OFFSET_BYTES + frame.payload.byteLength);
  message.writeUInt8(TYPE.output, 0);
  message.writeBigUInt64BE(BigInt(positionAfter), 1);
  message.writeBigUInt64BE(BigInt(frame.offset), 1 + OFFSET_BYTES);
  message.set(frame.payload, 1 + 2 * OFFSET_BYTES);
  return message;
}

export function encodeStatus(status: object): Buffer {
  return Buffer.concat([Buffer.of(TYPE.status), Buffer.from(JSON.stringify(status))]);
}

export function encodeApplied(appliedTo: number): Buffer {
  const message = Buffer.alloc(1 + OFFSET_BYTES);
  message.writeUInt8(TYPE.applied, 0);
  message.writeBigUInt64BE(BigInt(appliedTo), 1);
  return message;
}
