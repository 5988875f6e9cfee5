import type { ExecId } from '../ids.js';
import type { Chunk } from '../ports/stores.port.js';

/** The committed output of execs, wherever it is kept. Readers do not know where that is. */
export interface OutputSource {
  /**
   * Chunks that hold positions from `fromPosition` on, oldest first, at most about `bytesMax` and at least one; none
   * where nothing is committed. Throws `output_expired` for output that retention has removed.
   */
  readChunks(id: ExecId, fromPosition: number, bytesMax: number): Promise<Chunk[]>;
  /** Chunks that hold bytes of one stream from byte `fromByte` of it on. */
  readStreamChunks(
    id: ExecId,
    stream: 'stdout' | 'stderr',
    fromByte: number,
    bytesMax: number,
  ): Promise<Chunk[]>;
}

/** A place in an exec's output: a position in the framed output, or a byte of one stream. */
export interface OutputPlace {
  readonly of: 'frames' | 'stdout' | 'stderr';
  readonly from: number;
}
