import { decodeFrames, FRAME_HEADER_BYTES, type Chunk, type Frame } from '#domain';

/** A chunk as several that continue each other, cut between frames: each as large as `bytesMax` allows, and views of it. */
export function piecesOf(chunk: Chunk, bytesMax: number): Chunk[] {
  if (chunk.frames.byteLength <= bytesMax) return [chunk];
  const pieces: Chunk[] = [];
  let begun = startOf(chunk);
  let at = begun;
  for (const frame of decodeFrames(chunk.frames).frames) {
    const next = after(at, frame);
    if (next.position - begun.position > bytesMax && at !== begun) {
      pieces.push(between(chunk, begun, at));
      begun = at;
    }
    at = next;
  }
  pieces.push(between(chunk, begun, at));
  return pieces;
}

interface Place {
  readonly position: number;
  readonly stdout: number;
  readonly stderr: number;
}

const startOf = (chunk: Chunk): Place => ({
  position: chunk.position,
  stdout: chunk.stdoutFrom,
  stderr: chunk.stderrFrom,
});

/** A terminal's output counts as stdout. */
function after({ position, stdout, stderr }: Place, { stream, payload }: Frame): Place {
  const bytes = payload.byteLength;
  const isStderr = stream === 'stderr';
  return {
    position: position + FRAME_HEADER_BYTES + bytes,
    stdout: stdout + (isStderr ? 0 : bytes),
    stderr: stderr + (isStderr ? bytes : 0),
  };
}

function between(chunk: Chunk, from: Place, to: Place): Chunk {
  return {
    position: from.position,
    endPosition: to.position,
    stdoutFrom: from.stdout,
    stdoutTo: to.stdout,
    stderrFrom: from.stderr,
    stderrTo: to.stderr,
    frames: chunk.frames.subarray(from.position - chunk.position, to.position - chunk.position),
  };
}
