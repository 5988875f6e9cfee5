import { DomainError } from '../errors.js';
import { decodeFrames } from '../frames/frame.codec.js';
import { FRAME_HEADER_BYTES, MalformedFrameError, type Frame } from '../frames/frame.js';
import { SEGMENT_BLOCK_BYTES } from '../limits.js';
import type { Chunk } from '../ports/stores.port.js';
import type { OutputPlace } from './output-source.port.js';

/** Which part of an exec's output something covers: positions of the framed output, and bytes of both streams. */
export type OutputSpan = Omit<Chunk, 'frames'>;

/** Where a reader may begin within a segment: the first frame of a block. */
export interface BlockStart {
  readonly position: number;
  readonly stdoutFrom: number;
  readonly stderrFrom: number;
}

/** A piece of output in object storage: the bytes of whole frames, at `objectOffset` of an object. It never changes. */
export interface OutputSegment extends OutputSpan {
  readonly objectKey: string;
  readonly objectOffset: number;
  /** Of the segment's own bytes, lower-case hexadecimal. */
  readonly sha256: string;
  readonly blocks: readonly BlockStart[];
}

/** Collects contiguous chunks into the shape of one segment, and checks each frame on the way. */
export class SegmentShape {
  readonly blocks: BlockStart[] = [];
  private end: OutputSpan;

  constructor(first: OutputSpan) {
    const { position, stdoutFrom, stderrFrom } = first;
    this.end = {
      position,
      endPosition: position,
      stdoutFrom,
      stdoutTo: stdoutFrom,
      stderrFrom,
      stderrTo: stderrFrom,
    };
  }

  /** Throws `spool_corrupt` for anything but whole frames that continue what was added before. */
  add(chunk: Chunk): void {
    if (chunk.position !== this.end.endPosition) {
      throw damaged(chunk, `it does not continue position ${this.end.endPosition}`);
    }
    for (const frame of framesOf(chunk)) this.addFrame(chunk, frame);
    const { endPosition, stdoutTo, stderrTo } = this.end;
    if (chunk.endPosition !== endPosition || chunk.stdoutTo !== stdoutTo || chunk.stderrTo !== stderrTo) {
      throw damaged(chunk, 'its frames end elsewhere than the row says');
    }
  }

  get span(): OutputSpan {
    return this.end;
  }

  private addFrame(chunk: Chunk, frame: Frame): void {
    const { endPosition, stdoutTo, stderrTo } = this.end;
    const last = this.blocks.at(-1);
    if (last === undefined || endPosition - last.position >= SEGMENT_BLOCK_BYTES) {
      this.blocks.push({ position: endPosition, stdoutFrom: stdoutTo, stderrFrom: stderrTo });
    }
    // The output of a terminal counts as stdout, as it does where it is committed.
    const isStderr = frame.stream === 'stderr';
    if (frame.offset !== (isStderr ? stderrTo : stdoutTo)) {
      throw damaged(chunk, `a ${frame.stream} frame begins at byte ${frame.offset}`);
    }
    const bytes = frame.payload.byteLength;
    this.end = {
      ...this.end,
      endPosition: endPosition + FRAME_HEADER_BYTES + bytes,
      stdoutTo: stdoutTo + (isStderr ? 0 : bytes),
      stderrTo: stderrTo + (isStderr ? bytes : 0),
    };
  }
}

/** The blocks of a segment as spans: each reaches to the start of the next one. */
export function blocksOf(segment: OutputSpan & Pick<OutputSegment, 'blocks'>): OutputSpan[] {
  return segment.blocks.map((start, index) => {
    const next = segment.blocks[index + 1];
    return {
      ...start,
      endPosition: next?.position ?? segment.endPosition,
      stdoutTo: next?.stdoutFrom ?? segment.stdoutTo,
      stderrTo: next?.stderrFrom ?? segment.stderrTo,
    };
  });
}

export function startOf(span: OutputSpan, { of }: OutputPlace): number {
  return of === 'frames' ? span.position : of === 'stdout' ? span.stdoutFrom : span.stderrFrom;
}

export function endOf(span: OutputSpan, { of }: OutputPlace): number {
  return of === 'frames' ? span.endPosition : of === 'stdout' ? span.stdoutTo : span.stderrTo;
}

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

function damaged(chunk: OutputSpan, detail: string): DomainError {
  return new DomainError('spool_corrupt', 'The stored output cannot be read.', {
    detail: `chunk at position ${chunk.position}: ${detail}`,
  });
}
