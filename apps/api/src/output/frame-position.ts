import {
  FRAME_HEADER_BYTES,
  framesOf,
  outputExpired,
  type Chunk,
  type Exec,
  type Frame,
  type OutputSource,
} from '#domain';
import { countsAs, slicesOf, type OutputStream } from './stream-slices.js';
import { Utf8Pieces } from './utf8.js';

const CHARACTER_BYTES_MAX = 4;

/** A frame and the position after it, which is the cursor of whoever has dealt with it. */
export interface PlacedFrame {
  readonly frame: Frame;
  readonly positionAfter: number;
}

/** The frames of a chunk that begin at `from` or later. */
export function placedFramesOf(chunk: Chunk, from: number): PlacedFrame[] {
  let start = chunk.position;
  const placed: PlacedFrame[] = [];
  for (const frame of framesOf(chunk)) {
    const positionAfter = start + FRAME_HEADER_BYTES + frame.payload.byteLength;
    if (start >= from) placed.push({ frame, positionAfter });
    start = positionAfter;
  }
  return placed;
}

/**
 * How far both streams are at a position; undefined where no frame begins and none ends there. Throws `output_expired`
 * where there was more to read.
 */
export async function streamOffsetsAt(
  output: OutputSource,
  exec: Exec,
  position: number,
): Promise<Readonly<Record<OutputStream, number>> | undefined> {
  if (exec.outputState === 'expired' && position < exec.committedPosition) throw outputExpired();
  if (position === 0) return { stdout: 0, stderr: 0 };
  if (position === exec.committedPosition) return { stdout: exec.stdoutBytes, stderr: exec.stderrBytes };
  if (position > exec.committedPosition) return undefined;
  const [chunk] = await output.readChunks(exec.id, position, 1);
  if (chunk === undefined || chunk.position > position) return undefined;
  const offsets = { stdout: chunk.stdoutFrom, stderr: chunk.stderrFrom };
  if (chunk.position === position) return offsets;
  for (const { frame, positionAfter } of placedFramesOf(chunk, chunk.position)) {
    offsets[countsAs(frame.stream)] += frame.payload.byteLength;
    if (positionAfter === position) return offsets;
  }
  return undefined;
}

/** Text from byte `offset` on: a character that began before it is completed by what comes. */
export async function textFrom(
  output: OutputSource,
  exec: Exec,
  stream: OutputStream,
  offset: number,
): Promise<Utf8Pieces> {
  const from = Math.max(0, offset - CHARACTER_BYTES_MAX);
  const parts: Uint8Array[] = [];
  let at = from;
  while (at < offset) {
    const chunks = await output.readStreamChunks(exec.id, stream, at, offset - at);
    const slices = chunks.flatMap((chunk) => slicesOf(chunk, stream, at));
    if (slices.length === 0) break;
    parts.push(...slices);
    at += slices.reduce((sum, slice) => sum + slice.byteLength, 0);
  }
  return new Utf8Pieces(Buffer.concat(parts).subarray(0, offset - from));
}
