import type { Chunk, ExecId, OutputSource } from '#domain';

/** Readers that are at about the same place find here what one of them has fetched. */
const KEPT_BYTES_MAX = 16 * 1_024 * 1_024;
/** Output that retention removes is not to be had from here for longer. */
const KEPT_MS_MAX = 5_000;

interface Fetched {
  readonly at: number;
  readonly bytes: number;
  readonly chunks: Chunk[];
}

/**
 * Stored output, fetched once for all readers that want the same at about the same time: a hundred viewers of one exec
 * cost the database little more than one. Committed output never changes, so what is kept is never out of date; what came
 * after it is found by the next fetch.
 */
export class SharedOutput implements OutputSource {
  private readonly running = new Map<string, Promise<Chunk[]>>();
  /** The oldest first. */
  private readonly kept = new Map<string, Fetched>();
  private keptBytes = 0;

  constructor(private readonly source: OutputSource) {}

  async readChunks(id: ExecId, fromPosition: number, bytesMax: number): Promise<Chunk[]> {
    return await this.once(`${id} frames ${fromPosition} ${bytesMax}`, () =>
      this.source.readChunks(id, fromPosition, bytesMax),
    );
  }

  async readStreamChunks(
    id: ExecId,
    stream: 'stdout' | 'stderr',
    fromByte: number,
    bytesMax: number,
  ): Promise<Chunk[]> {
    return await this.once(`${id} ${stream} ${fromByte} ${bytesMax}`, () =>
      this.source.readStreamChunks(id, stream, fromByte, bytesMax),
    );
  }

  private async once(key: string, fetch: () => Promise<Chunk[]>): Promise<Chunk[]> {
    const kept = this.kept.get(key);
    if (kept && performance.now() - kept.at < KEPT_MS_MAX) return kept.chunks;
    const running = this.running.get(key);
    if (running) return await running;
    const fetching = fetch().finally(() => this.running.delete(key));
    this.running.set(key, fetching);
    const chunks = await fetching;
    this.keep(key, chunks);
    return chunks;
  }

  private keep(key: string, chunks: Chunk[]): void {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.frames.byteLength, 0);
    // What is not there yet may be there a moment later.
    if (bytes === 0) return;
    this.drop(key);
    this.kept.set(key, { at: performance.now(), bytes, chunks });
    this.keptBytes += bytes;
    for (const [oldest, { at }] of this.kept) {
      if (this.keptBytes <= KEPT_BYTES_MAX && performance.now() - at < KEPT_MS_MAX) return;
      this.drop(oldest);
    }
  }

  private drop(key: string): void {
    this.keptBytes -= this.kept.get(key)?.bytes ?? 0;
    this.kept.delete(key);
  }
}
