import type { Chunk, ExecId, OutputSource, PassedBuffers } from '#domain';
import { FetchPlaces } from './fetch-places.js';

/** The driver gets bytes as text of twice the length, which it holds in several forms one after the other. */
const BUFFERED_TIMES = 6;

/**
 * The output in the database, fetched by few readers at a time. What is in object storage is fetched outside of these
 * places, so that a storage that hangs holds up only those who read from it.
 */
export class OutputInTurn implements OutputSource {
  private readonly fetches = new FetchPlaces();

  constructor(
    private readonly source: OutputSource,
    private readonly buffers: PassedBuffers,
  ) {}

  async readChunks(id: ExecId, fromPosition: number, bytesMax: number): Promise<Chunk[]> {
    return await this.inTurn(() => this.source.readChunks(id, fromPosition, bytesMax));
  }

  async readStreamChunks(
    id: ExecId,
    stream: 'stdout' | 'stderr',
    fromByte: number,
    bytesMax: number,
  ): Promise<Chunk[]> {
    return await this.inTurn(() => this.source.readStreamChunks(id, stream, fromByte, bytesMax));
  }

  private async inTurn(fetch: () => Promise<Chunk[]>): Promise<Chunk[]> {
    const chunks = await this.fetches.during(fetch);
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.frames.byteLength, 0);
    this.buffers.passed(bytes * BUFFERED_TIMES);
    return chunks;
  }
}
