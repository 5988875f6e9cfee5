import { Injectable } from '@nestjs/common';
import type { Chunk, ExecId } from '#domain';
import type { OutputStream } from './stream-slices.js';

/** What all live output together may take here. What is older is read from where it is stored. */
const RECENT_BYTES_MAX = 24 * 1_024 * 1_024;
/** Small pieces weigh more than their bytes. */
const RECENT_CHUNKS_MAX = 4_096;

export type OutputPlaces = 'frames' | OutputStream;

type PlaceOf = (chunk: Chunk) => number;

/** Where a chunk begins and ends, by the position in the framed output or by the byte of a stream. */
export const CHUNK_ENDS: Readonly<Record<OutputPlaces, { readonly start: PlaceOf; readonly end: PlaceOf }>> =
  {
    frames: { start: (chunk) => chunk.position, end: (chunk) => chunk.endPosition },
    stdout: { start: (chunk) => chunk.stdoutFrom, end: (chunk) => chunk.stdoutTo },
    stderr: { start: (chunk) => chunk.stderrFrom, end: (chunk) => chunk.stderrTo },
  };

/**
 * The newest committed output of execs that are being followed, one copy for all of their readers. Committed output never
 * changes, so nothing here can be out of date; what is not here is stored.
 */
@Injectable()
export class RecentOutput {
  /** Per exec chunks that continue each other. */
  private readonly runs = new Map<ExecId, Chunk[]>();
  private readonly oldestFirst: { readonly id: ExecId; readonly chunk: Chunk }[] = [];
  private bytes = 0;

  add(id: ExecId, chunk: Chunk): void {
    const run = this.runs.get(id);
    if (run && run.at(-1)?.endPosition === chunk.position) run.push(chunk);
    else this.runs.set(id, [chunk]);
    this.oldestFirst.push({ id, chunk });
    this.bytes += chunk.frames.byteLength;
    while (this.bytes > RECENT_BYTES_MAX || this.oldestFirst.length > RECENT_CHUNKS_MAX) this.dropOldest();
  }

  /** The chunk that holds this place, if it is here. */
  find(id: ExecId, of: OutputPlaces, place: number): Chunk | undefined {
    const run = this.runs.get(id) ?? [];
    const { start, end } = CHUNK_ENDS[of];
    let low = 0;
    let high = run.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (end(run[middle] as Chunk) <= place) low = middle + 1;
      else high = middle;
    }
    const chunk = run[low];
    return chunk && start(chunk) <= place ? chunk : undefined;
  }

  /** Nobody follows it any more. */
  forget(id: ExecId): void {
    this.runs.delete(id);
    const kept = this.oldestFirst.filter((entry) => entry.id !== id);
    this.oldestFirst.splice(0, Number.POSITIVE_INFINITY, ...kept);
    this.bytes = kept.reduce((sum, { chunk }) => sum + chunk.frames.byteLength, 0);
  }

  private dropOldest(): void {
    const entry = this.oldestFirst.shift();
    if (!entry) return;
    this.bytes -= entry.chunk.frames.byteLength;
    const run = this.runs.get(entry.id);
    if (run?.[0] === entry.chunk) run.shift();
    if (run?.length === 0) this.runs.delete(entry.id);
  }
}
