import type { FrameStream } from '#domain';
import type { PlacedFrame } from '../output/frame-position.js';

/**
 * A binary message, all integers big-endian: subscription u32, stream u8 (1 stdout, 2 stderr, 3 terminal), position
 * after it u64, offset in its stream u64, time in microseconds u64, payload. docs/WEBSOCKET.md describes it.
 */
export const OUTPUT_HEADER_BYTES = 29;
const NUMBER_BY_STREAM: Readonly<Record<FrameStream, number>> = { stdout: 1, stderr: 2, terminal: 3 };

export function encodeOutput(subscription: number, { frame, positionAfter }: PlacedFrame): Buffer {
  const message = Buffer.allocUnsafe(OUTPUT_HEADER_BYTES + frame.payload.byteLength);
  message.writeUInt32BE(subscription, 0);
  message.writeUInt8(NUMBER_BY_STREAM[frame.stream], 4);
  message.writeBigUInt64BE(BigInt(positionAfter), 5);
  message.writeBigUInt64BE(BigInt(frame.offset), 13);
  message.writeBigUInt64BE(BigInt(frame.timeMicros), 21);
  message.set(frame.payload, OUTPUT_HEADER_BYTES);
  return message;
}
