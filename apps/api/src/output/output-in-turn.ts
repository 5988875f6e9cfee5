import type { Chunk, ExecId, OutputSource } from '#domain';
import { FetchPlaces } from './fetch-places.js';

/**
 * The output in the database, fetched by few readers at a time. What is in object storage is fetched outside of these
 * places, so that a storage that hangs holds up only those who read from it.
 */
export class OutputInTurn implements OutputSource {
  private readonly fetches = new FetchPlaces();

  constructor(private readonly source: OutputSource) {}

  async readChunks(id: ExecId, fromPosition: number, bytesMax: number): Promise<Chunk[]> {
    return await this.fetches.during(() => this.source.readChunks(id, fromPosition, bytesMax));
  }

  async readStreamChunks(
    id: ExecId,
    stream: 'stdout' | 'stderr',
    fromByte: number,
    bytesMax: number,
  ): Promise<Chunk[]> {
    return await this.fetches.during(() => this.source.readStreamChunks(id, stream, fromByte, bytesMax));
  }
}
