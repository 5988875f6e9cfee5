import {
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  FRAME_PAYLOAD_BYTES_MAX,
  MalformedFrameError,
  type Frame,
  type FrameLimits,
  type FrameStream,
} from './frame.js';

const STREAM_BY_NUMBER: readonly (FrameStream | undefined)[] = [undefined, 'stdout', 'stderr', 'terminal'];
const NUMBER_BY_STREAM: Readonly<Record<FrameStream, number>> = { stdout: 1, stderr: 2, terminal: 3 };
const TWO_TO_32 = 4_294_967_296;

export interface DecodedFrames {
  readonly frames: Frame[];
  /** Bytes that the frames took. What follows is the beginning of a frame that is not there as a whole. */
  readonly consumed: number;
}

/** Decodes the whole frames at the start of `bytes`. Payloads are views, nothing is copied. */
export function decodeFrames(
  bytes: Uint8Array,
  limits: FrameLimits = { payloadBytesMax: FRAME_PAYLOAD_BYTES_MAX },
): DecodedFrames {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Frame[] = [];
  let at = 0;
  while (at + FRAME_HEADER_BYTES <= bytes.byteLength) {
    const payloadBytes = payloadBytesAt(view, at, limits);
    const end = at + FRAME_HEADER_BYTES + payloadBytes;
    const frame = headerAt(view, at, bytes.subarray(at + FRAME_HEADER_BYTES, end));
    if (end > bytes.byteLength) break;
    frames.push(frame);
    at = end;
  }
  return { frames, consumed: at };
}

export function encodeFrame(frame: Frame): Uint8Array<ArrayBuffer> {
  const payloadBytes = frame.payload.byteLength;
  if (payloadBytes < 1 || payloadBytes > FRAME_PAYLOAD_BYTES_MAX) {
    throw new RangeError(`A frame holds 1 to ${FRAME_PAYLOAD_BYTES_MAX} bytes, not ${payloadBytes}`);
  }
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payloadBytes);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, FRAME_MAGIC);
  view.setUint8(1, NUMBER_BY_STREAM[frame.stream]);
  view.setUint16(2, frame.flags);
  view.setUint32(4, payloadBytes);
  setSafeUint64(view, 8, frame.offset);
  setSafeUint64(view, 16, frame.timeMicros);
  bytes.set(frame.payload, FRAME_HEADER_BYTES);
  return bytes;
}

function payloadBytesAt(view: DataView, at: number, limits: FrameLimits): number {
  const magic = view.getUint8(at);
  if (magic !== FRAME_MAGIC) throw new MalformedFrameError(`Not a frame (magic ${magic})`, at);
  const payloadBytes = view.getUint32(at + 4);
  if (payloadBytes < 1 || payloadBytes > limits.payloadBytesMax) {
    throw new MalformedFrameError(`A payload of ${payloadBytes} bytes is out of bounds`, at);
  }
  return payloadBytes;
}

function headerAt(view: DataView, at: number, payload: Uint8Array): Frame {
  const number = view.getUint8(at + 1);
  const stream = STREAM_BY_NUMBER[number];
  if (stream === undefined) throw new MalformedFrameError(`Unknown stream ${number}`, at);
  return {
    stream,
    flags: view.getUint16(at + 2),
    offset: safeUint64At(view, at + 8, at),
    timeMicros: safeUint64At(view, at + 16, at),
    payload,
  };
}

/** Nine petabytes and the year 2255 are far enough; what is beyond them is not a number that we wrote. */
function safeUint64At(view: DataView, at: number, frameAt: number): number {
  const value = view.getUint32(at) * TWO_TO_32 + view.getUint32(at + 4);
  if (!Number.isSafeInteger(value)) throw new MalformedFrameError('A number is out of bounds', frameAt);
  return value;
}

function setSafeUint64(view: DataView, at: number, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`Not an unsigned safe integer: ${value}`);
  view.setUint32(at, Math.floor(value / TWO_TO_32));
  view.setUint32(at + 4, value % TWO_TO_32);
}
