/**
 * The binary message of /v1/ws that carries output, see docs/WEBSOCKET.md. All integers are big-endian:
 * subscription u32, stream u8, position after the payload u64, offset in its stream u64, time in microseconds u64, payload.
 */
export type OutputStream = 'stdout' | 'stderr' | 'terminal';

export interface OutputMessage {
  readonly subscription: number;
  readonly stream: OutputStream;
  /** The cursor to resume with once the payload has been dealt with. */
  readonly position: number;
  /** Of the first payload byte within its own stream. */
  readonly streamOffset: number;
  readonly payload: Uint8Array;
}

export const OUTPUT_HEADER_BYTES = 29;
const STREAM_BY_NUMBER: readonly (OutputStream | undefined)[] = [undefined, 'stdout', 'stderr', 'terminal'];

/** Undefined when the bytes are not such a message. The payload is a view. */
export function decodeOutputMessage(bytes: Uint8Array): OutputMessage | undefined {
  if (bytes.byteLength < OUTPUT_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stream = STREAM_BY_NUMBER[view.getUint8(4)];
  if (stream === undefined) return undefined;
  return {
    subscription: view.getUint32(0),
    stream,
    position: Number(view.getBigUint64(5)),
    streamOffset: Number(view.getBigUint64(13)),
    payload: bytes.subarray(OUTPUT_HEADER_BYTES),
  };
}
