import { FRAME_BYTES_MAX, DomainError, type Chunk } from '#domain';

/**
 * A piece of committed output on its way from a host to the API, all integers big-endian: length of the frames u32,
 * position u64, then where both streams begin and end, stdout first, four times u64, then the frames.
 */
const HEADER_BYTES = 44;
const TWO_TO_32 = 4_294_967_296;
/** A sender cuts between frames, so that what a reader holds on to is never much more than one frame. */
export const PIECE_BYTES_MAX = FRAME_BYTES_MAX;

/** Header and frames as two pieces, so that the frames are not copied. */
export function encodeChunk(chunk: Chunk): readonly [Uint8Array, Uint8Array] {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, chunk.frames.byteLength);
  [chunk.position, chunk.stdoutFrom, chunk.stdoutTo, chunk.stderrFrom, chunk.stderrTo].forEach((value, n) => {
    view.setUint32(4 + n * 8, Math.floor(value / TWO_TO_32));
    view.setUint32(8 + n * 8, value % TWO_TO_32);
  });
  return [header, chunk.frames];
}

/** Cuts what arrives into chunks, each in memory of its own. Lengths are checked before anything is allocated. */
export class ChunkDecoder {
  private readonly header = new Uint8Array(HEADER_BYTES);
  private readonly view = new DataView(this.header.buffer);
  private headerFilled = 0;
  private frames: Uint8Array | undefined;
  private framesFilled = 0;

  /** Throws on a length that no sender would send. */
  *push(bytes: Uint8Array): Generator<Chunk> {
    let at = 0;
    while (at < bytes.byteLength) {
      const into = this.frames ?? this.header;
      const filled = this.frames ? this.framesFilled : this.headerFilled;
      const taken = bytes.subarray(at, at + into.byteLength - filled);
      into.set(taken, filled);
      at += taken.byteLength;
      const whole = filled + taken.byteLength === into.byteLength;
      if (!this.frames) {
        this.headerFilled = filled + taken.byteLength;
        if (whole) this.begin();
      } else {
        this.framesFilled = filled + taken.byteLength;
        if (whole) yield this.finish(this.frames);
      }
    }
  }

  private begin(): void {
    const length = this.view.getUint32(0);
    if (length < 1 || length > PIECE_BYTES_MAX) {
      throw new DomainError('dependency_unavailable', 'The host of the sandbox does not answer.', {
        detail: `It announced ${length} bytes of output.`,
        dependency: 'host',
      });
    }
    this.frames = new Uint8Array(length);
    this.framesFilled = 0;
  }

  private finish(frames: Uint8Array): Chunk {
    this.headerFilled = 0;
    this.frames = undefined;
    const position = this.numberAt(4);
    return {
      position,
      endPosition: position + frames.byteLength,
      stdoutFrom: this.numberAt(12),
      stdoutTo: this.numberAt(20),
      stderrFrom: this.numberAt(28),
      stderrTo: this.numberAt(36),
      frames,
    };
  }

  private numberAt(offset: number): number {
    return this.view.getUint32(offset) * TWO_TO_32 + this.view.getUint32(offset + 4);
  }
}
