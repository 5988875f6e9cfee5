import { decodeFrames, DomainError, MalformedFrameError, type Chunk, type Frame } from '#domain';

export type OutputStream = 'stdout' | 'stderr';

/** The frames of a chunk. A chunk holds whole frames only, so anything else was damaged where it is stored. */
export function framesOf(chunk: Chunk): readonly Frame[] {
  try {
    const { frames, consumed } = decodeFrames(chunk.frames);
    if (consumed === chunk.frames.byteLength) return frames;
    throw damaged(chunk, `only ${consumed} of ${chunk.frames.byteLength} bytes are whole frames`);
  } catch (error) {
    if (error instanceof MalformedFrameError) throw damaged(chunk, error.message);
    throw error;
  }
}

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

function damaged(chunk: Chunk, detail: string): DomainError {
  return new DomainError('spool_corrupt', 'The stored output cannot be read.', {
    detail: `chunk at position ${chunk.position}: ${detail}`,
  });
}
