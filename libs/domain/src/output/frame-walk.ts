import { DomainError } from '../errors.js';
import { decodeFrames } from '../frames/frame.codec.js';
import { FRAME_BYTES_MAX, FRAME_HEADER_BYTES, MalformedFrameError, type Frame } from '../frames/frame.js';
import type { OutputSpan } from './segment.js';

/** A hash in the making. */
export interface Digest {
  update(bytes: Uint8Array): void;
  hex(): string;
}

/** What the stored bytes say about one stream, beside what the exit record says. */
export interface VerifiedStream {
  readonly bytes: number;
  readonly sha256: string;
  /** Null where no exit record says it: a live exec, or an end without a record. */
  readonly recordedBytes: number | null;
  readonly recordedSha256: string | null;
}

/** Room for a frame that is not there as a whole, and for what may come in one piece. */
const PIECE_BYTES_MAX = 262_144;

/** Goes through framed output in pieces of any size and hashes each stream. It holds one frame at most. */
export class FrameWalk {
  private readonly buffer = new Uint8Array(FRAME_BYTES_MAX + PIECE_BYTES_MAX);
  private held = 0;
  private walked = 0;
  private readonly streams: Readonly<Record<'stdout' | 'stderr', { bytes: number; digest: Digest }>>;

  constructor(newDigest: () => Digest) {
    this.streams = {
      stdout: { bytes: 0, digest: newDigest() },
      stderr: { bytes: 0, digest: newDigest() },
    };
  }

  /** After the last whole frame. */
  get position(): number {
    return this.walked;
  }

  /** Throws `spool_corrupt` for what is no frame, or does not continue its stream. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES_MAX) {
      const piece = bytes.subarray(at, at + PIECE_BYTES_MAX);
      this.buffer.set(piece, this.held);
      this.held += piece.byteLength;
      this.takeFrames();
    }
  }

  /** Exactly at the end of this span, with nothing left over. */
  isAt(span: OutputSpan): boolean {
    const { stdout, stderr } = this.streams;
    return (
      this.held === 0 &&
      this.walked === span.endPosition &&
      stdout.bytes === span.stdoutTo &&
      stderr.bytes === span.stderrTo
    );
  }

  /** To be called once, at the end. */
  streamOf(
    name: 'stdout' | 'stderr',
    recorded: readonly [bytes: number, sha256: string] | null,
  ): VerifiedStream {
    const { bytes, digest } = this.streams[name];
    return {
      bytes,
      sha256: digest.hex(),
      recordedBytes: recorded?.[0] ?? null,
      recordedSha256: recorded?.[1] ?? null,
    };
  }

  private takeFrames(): void {
    const { frames, consumed } = this.decoded();
    for (const frame of frames) this.take(frame);
    this.buffer.copyWithin(0, consumed, this.held);
    this.held -= consumed;
  }

  private decoded() {
    try {
      return decodeFrames(this.buffer.subarray(0, this.held));
    } catch (error) {
      if (error instanceof MalformedFrameError) throw corrupt(error.message, error);
      throw error;
    }
  }

  private take(frame: Frame): void {
    const stream = this.streams[frame.stream === 'stderr' ? 'stderr' : 'stdout'];
    if (frame.offset !== stream.bytes) {
      throw corrupt(`A ${frame.stream} frame begins at byte ${frame.offset} instead of ${stream.bytes}.`);
    }
    stream.digest.update(frame.payload);
    stream.bytes += frame.payload.byteLength;
    this.walked += FRAME_HEADER_BYTES + frame.payload.byteLength;
  }
}

function corrupt(detail: string, cause?: unknown): DomainError {
  return new DomainError('spool_corrupt', 'The stored output cannot be read.', {
    detail,
    ...(cause === undefined ? {} : { cause }),
  });
}
