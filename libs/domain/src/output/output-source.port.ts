import type { ExecId } from '../ids.js';
import type { Chunk } from '../ports/stores.port.js';

/** The committed output of execs, wherever it is kept. Readers do not know where that is. */
export interface OutputSource {
  /**
   * The chunk that holds a position and those after it, at most about `bytesMax`; none where that position is not kept
   * here. Throws `output_expired` for output that retention has removed.
   */
  readChunks(id: ExecId, fromPosition: number, bytesMax: number): Promise<Chunk[]>;
  /** The same for a byte of one stream; the chunks hold bytes of that stream. */
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
