import {
  DomainError,
  limits,
  SegmentShape,
  type BlockStart,
  type EndedExec,
  type OutputSource,
  type OutputSpan,
  type SegmentStore,
} from '#domain';
import { sha256Of } from '../verified-object.js';

export interface GatheredOutput {
  readonly span: OutputSpan;
  readonly blocks: readonly BlockStart[];
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

/** Whole chunks of one exec in memory that is used again and again: a pass holds one segment, whatever it seals. */
export class OutputGatherer {
  private lent: Buffer | undefined;

  constructor(
    private readonly hot: OutputSource,
    private readonly segments: Pick<SegmentStore, 'find'>,
  ) {}

  /**
   * The chunks from `from` on, as many as fit into a segment. They are valid until the next call. Undefined where
   * somebody else has sealed or removed them meanwhile; throws `spool_corrupt` where they are damaged or missing.
   */
  async gather(exec: EndedExec, from: number): Promise<GatheredOutput | undefined> {
    let shape: SegmentShape | undefined;
    let at = from;
    while (at < exec.committedPosition) {
      const chunks = await this.hot.readChunks(exec.id, at, limits.HOT_READ_BYTES_MAX);
      if (chunks[0]?.position !== at) return await this.missing(exec, at);
      for (const chunk of chunks) {
        if (chunk.endPosition - from > limits.SEGMENT_BYTES_MAX) return this.gathered(shape);
        shape ??= new SegmentShape(chunk);
        shape.add(chunk);
        this.buffer.set(chunk.frames, chunk.position - from);
        at = chunk.endPosition;
      }
    }
    return this.gathered(shape);
  }

  /** Most passes have nothing to seal and need none. */
  private get buffer(): Buffer {
    return (this.lent ??= Buffer.allocUnsafeSlow(limits.SEGMENT_BYTES_MAX));
  }

  private gathered(shape: SegmentShape | undefined): GatheredOutput | undefined {
    if (!shape) return undefined;
    const { span, blocks } = shape;
    const bytes = this.buffer.subarray(0, span.endPosition - span.position);
    return { span, blocks, bytes, sha256: sha256Of(bytes) };
  }

  private async missing(exec: EndedExec, at: number): Promise<undefined> {
    const { outputState, segment } = await this.segments.find(exec.id, { of: 'frames', from: at });
    if (segment || outputState === 'expired') return undefined;
    throw new DomainError('spool_corrupt', 'The stored output cannot be read.', {
      detail: `exec ${exec.id}: nothing is stored at ${at} of ${exec.committedPosition}`,
    });
  }
}
