import type { ExecId } from '../ids.js';
import { PACK_OUTPUT_BYTES_MAX } from '../limits.js';
import type { OutputPlace } from './output-source.port.js';
import { endOf, startOf, type OutputSegment } from './segment.js';

const SEGMENTS_MAX = 64;

/**
 * The segment that was read last of each of the execs that are read: whoever reads on needs no look into the database for
 * most of what follows, since a segment never changes. Small outputs are read at once and are not worth a place.
 */
export class RecentSegments {
  private readonly segments = new Map<ExecId, OutputSegment>();

  find(id: ExecId, place: OutputPlace): OutputSegment | undefined {
    const segment = this.segments.get(id);
    if (!segment || startOf(segment, place) > place.from || endOf(segment, place) <= place.from)
      return undefined;
    this.put(id, segment);
    return segment;
  }

  /** Forgets the one that was not used for longest when there are too many. */
  put(id: ExecId, segment: OutputSegment): void {
    this.segments.delete(id);
    if (segment.endPosition - segment.position <= PACK_OUTPUT_BYTES_MAX) return;
    this.segments.set(id, segment);
    const [oldest] = this.segments.keys();
    if (this.segments.size > SEGMENTS_MAX && oldest !== undefined) this.segments.delete(oldest);
  }

  forget(id: ExecId): void {
    this.segments.delete(id);
  }
}
