import { framesOf, type Chunk, type Frame } from '#domain';

export type OutputStream = 'stdout' | 'stderr';

/** The bytes of one stream in a chunk from byte `from` of the stream on, as views. A terminal's output is stdout. */
export function slicesOf(chunk: Chunk, stream: OutputStream, from: number): Uint8Array[] {
  return framesOf(chunk)
    .filter((frame) => countsAs(frame.stream) === stream && frame.offset + frame.payload.byteLength > from)
    .map((frame) => frame.payload.subarray(Math.max(0, from - frame.offset)));
}

/** An exec has a terminal or two pipes, never both. */
export function countsAs(stream: Frame['stream']): OutputStream {
  return stream === 'stderr' ? 'stderr' : 'stdout';
}
