import { decodeFrames, DomainError, MalformedFrameError, type Chunk } from '#domain';

/** How far an exec's output is committed: the position in the framed spool and the bytes of each stream. */
export interface Progress {
  readonly position: number;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
}

/**
 * Checks frames from the sandbox against what is committed and makes the chunk that continues it. Throws `spool_corrupt`
 * for anything but whole frames that continue both streams without a gap. A terminal's output is kept as stdout.
 */
export function chunkFrom(progress: Progress, position: number, frames: Uint8Array): Chunk {
  if (position !== progress.position) {
    throw corrupt(`frames begin at ${position} instead of ${progress.position}`);
  }
  let { stdoutBytes, stderrBytes } = progress;
  for (const frame of wholeFramesOf(frames)) {
    const expected = frame.stream === 'stderr' ? stderrBytes : stdoutBytes;
    if (frame.offset !== expected) {
      throw corrupt(`a ${frame.stream} frame begins at byte ${frame.offset} instead of ${expected}`);
    }
    if (frame.stream === 'stderr') stderrBytes += frame.payload.byteLength;
    else stdoutBytes += frame.payload.byteLength;
  }
  return {
    position,
    endPosition: position + frames.byteLength,
    stdoutFrom: progress.stdoutBytes,
    stdoutTo: stdoutBytes,
    stderrFrom: progress.stderrBytes,
    stderrTo: stderrBytes,
    frames,
  };
}

export function progressAfter(chunk: Chunk): Progress {
  return { position: chunk.endPosition, stdoutBytes: chunk.stdoutTo, stderrBytes: chunk.stderrTo };
}

function wholeFramesOf(bytes: Uint8Array) {
  try {
    const { frames, consumed } = decodeFrames(bytes);
    if (consumed !== bytes.byteLength) throw corrupt('a frame is cut off');
    return frames;
  } catch (error) {
    if (error instanceof MalformedFrameError) throw corrupt(error.message, error);
    throw error;
  }
}

function corrupt(detail: string, cause?: unknown): DomainError {
  return new DomainError('spool_corrupt', 'The output of the sandbox is not what its runner would write.', {
    detail,
    ...(cause === undefined ? {} : { cause }),
  });
}
