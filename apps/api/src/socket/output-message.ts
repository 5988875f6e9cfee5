import type { FrameStream } from '#domain';
import type { PlacedFrame } from '../output/frame-position.js';

/**
 * A binary message, all integers big-endian: subscription u32, stream u8 (1 stdout, 2 stderr, 3 terminal), position
 * after it u64, offset in its stream u64, time in microseconds u64, payload. docs/WEBSOCKET.md describes it.
 */
export const OUTPUT_HEADER_BYTES = 29;
const NUMBER_BY_STREAM: Readonly<Record<FrameStream, number>> = { stdout: 1, stderr: 2, terminal: 3 };

/** Below this a copy costs less than a message in two parts. */
const SHARED_BYTES_MIN = 16 * 1_024;

/** One message, or its parts where the payload is sent as it lies in memory, which all sockets then share. */
export function encodeOutput(
  subscription: number,
  { frame, positionAfter }: PlacedFrame,
): Buffer | readonly [Buffer, Uint8Array] {
  const { payload } = frame;
  const shared = isMostOfItsMemory(payload) && payload.byteLength >= SHARED_BYTES_MIN;
  const message = Buffer.allocUnsafe(OUTPUT_HEADER_BYTES + (shared ? 0 : payload.byteLength));
  message.writeUInt32BE(subscription, 0);
  message.writeUInt8(NUMBER_BY_STREAM[frame.stream], 4);
  message.writeBigUInt64BE(BigInt(positionAfter), 5);
  message.writeBigUInt64BE(BigInt(frame.offset), 13);
  message.writeBigUInt64BE(BigInt(frame.timeMicros), 21);
  if (shared) return [message, payload];
  message.set(payload, OUTPUT_HEADER_BYTES);
  return message;
}

/** A small view that waits in a socket would keep all of the memory that it shows a part of. */
function isMostOfItsMemory(view: Uint8Array): boolean {
  return view.byteLength * 2 > view.buffer.byteLength;
}
