import { DomainError, isDomainError } from '../errors.js';
import type { ExecId } from '../ids.js';
import type { ObjectStore } from '../ports/object-store.port.js';
import type { Chunk } from '../ports/stores.port.js';
import type { OutputPlace, OutputSource } from './output-source.port.js';
import type { SegmentStore } from './output-stores.port.js';
import { RecentSegments } from './recent-segments.js';
import { blocksOf, endOf, startOf, type OutputSegment, type OutputSpan } from './segment.js';

/**
 * Output in the database and in object storage as one. It looks into the database first: output moves from there to
 * object storage and never back, so what is missing at the first look is there at the second. Whoever reads on in a
 * segment goes straight to its object.
 */
export class StoredOutput implements OutputSource {
  private readonly recent = new RecentSegments();

  constructor(
    private readonly hot: OutputSource,
    private readonly segments: Pick<SegmentStore, 'find'>,
    private readonly objects: Pick<ObjectStore, 'get'>,
  ) {}

  async readChunks(id: ExecId, fromPosition: number, bytesMax: number): Promise<Chunk[]> {
    const place = { of: 'frames', from: fromPosition } as const;
    const known = await this.fromRecent(id, place, bytesMax);
    if (known) return known;
    return await this.orSealed(id, await this.hot.readChunks(id, fromPosition, bytesMax), place, bytesMax);
  }

  async readStreamChunks(
    id: ExecId,
    stream: 'stdout' | 'stderr',
    fromByte: number,
    bytesMax: number,
  ): Promise<Chunk[]> {
    const place = { of: stream, from: fromByte };
    const known = await this.fromRecent(id, place, bytesMax);
    if (known) return known;
    const hot = await this.hot.readStreamChunks(id, stream, fromByte, bytesMax);
    return await this.orSealed(id, hot, place, bytesMax);
  }

  /** Undefined where the segment is not known, or its object not there any more. */
  private async fromRecent(id: ExecId, place: OutputPlace, bytesMax: number): Promise<Chunk[] | undefined> {
    const segment = this.recent.find(id, place);
    if (!segment) return undefined;
    try {
      return await this.readSegment(segment, place, bytesMax);
    } catch (error) {
      if (!isDomainError(error, 'not_found')) throw error;
      this.recent.forget(id);
      return undefined;
    }
  }

  private async orSealed(id: ExecId, hot: Chunk[], place: OutputPlace, bytesMax: number): Promise<Chunk[]> {
    if (hot.length > 0) return hot;
    const { segment } = await this.look(id, place);
    if (!segment) return hot;
    this.recent.put(id, segment);
    try {
      return await this.readSegment(segment, place, bytesMax);
    } catch (error) {
      if (!isDomainError(error, 'not_found')) throw error;
      this.recent.forget(id);
      // Retention may have removed it since the look; otherwise it is missing where it must be.
      await this.look(id, place);
      throw unreadable(segment, 'the object is not there', error);
    }
  }

  private async look(id: ExecId, place: OutputPlace) {
    const found = await this.segments.find(id, place);
    if (found.outputState === 'expired') throw outputExpired();
    return found;
  }

  private async readSegment(segment: OutputSegment, place: OutputPlace, bytesMax: number): Promise<Chunk[]> {
    const blocks = blocksToRead(segment, place, bytesMax);
    const [first] = blocks;
    const last = blocks.at(-1);
    if (!first || !last) throw unreadable(segment, `none of its blocks has ${place.of} ${place.from}`);
    const from = segment.objectOffset + first.position - segment.position;
    const bytes = new Uint8Array(last.endPosition - first.position);
    const object = await this.objects.get(segment.objectKey, { from, to: from + bytes.byteLength });
    let at = 0;
    for await (const part of object.bytes) {
      if (at + part.byteLength > bytes.byteLength) throw unreadable(segment, 'more came than was asked for');
      bytes.set(part, at);
      at += part.byteLength;
    }
    if (at < bytes.byteLength)
      throw unreadable(segment, `the object ends ${bytes.byteLength - at} bytes early`);
    return blocks.map((block) => ({
      ...block,
      frames: bytes.subarray(block.position - first.position, block.endPosition - first.position),
    }));
  }
}

/** The block with the place and those after it, as long as they are wanted and lie behind one another. */
function blocksToRead(segment: OutputSegment, place: OutputPlace, bytesMax: number): OutputSpan[] {
  const blocks = blocksOf(segment);
  const first = blocks.findIndex((block) => endOf(block, place) > place.from && holds(block, place));
  if (first < 0) return [];
  let bytes = 0;
  let end = first;
  for (; end < blocks.length && bytes < bytesMax; end += 1) {
    const block = blocks[end];
    if (!block || !holds(block, place)) break;
    bytes += block.endPosition - block.position;
  }
  return blocks.slice(first, end);
}

function holds(span: OutputSpan, place: OutputPlace): boolean {
  return endOf(span, place) > startOf(span, place);
}

export function outputExpired(): DomainError {
  return new DomainError('output_expired', 'The output of this exec is not kept any more.');
}

function unreadable(segment: OutputSegment, detail: string, cause?: unknown): DomainError {
  return new DomainError('spool_corrupt', 'The stored output cannot be read.', {
    detail: `${segment.objectKey} for position ${segment.position}: ${detail}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
