import { execId, type Chunk, type OutputSource } from '#domain';
import { SharedOutput } from './shared-output.js';

const ID = execId('0190b0a0-0000-7000-8000-000000000001');
const OTHER = execId('0190b0a0-0000-7000-8000-000000000002');
const MEBIBYTE = 1_024 * 1_024;

function chunkAt(position: number, bytes: number): Chunk {
  const endPosition = position + bytes;
  const frames = new Uint8Array(bytes);
  return { position, endPosition, stdoutFrom: 0, stdoutTo: 0, stderrFrom: 0, stderrTo: 0, frames };
}

/** Everything that is asked for is there, up to `end`. */
class Store implements OutputSource {
  fetches = 0;
  end = Number.POSITIVE_INFINITY;
  failure: Error | undefined;

  async readChunks(_id: string, from: number, bytesMax: number): Promise<Chunk[]> {
    this.fetches += 1;
    await new Promise((resolve) => setImmediate(resolve));
    if (this.failure) throw this.failure;
    return from < this.end ? [chunkAt(from, bytesMax)] : [];
  }

  async readStreamChunks(id: string, _stream: string, from: number, bytesMax: number): Promise<Chunk[]> {
    return await this.readChunks(id, from, bytesMax);
  }
}

describe('stored output', () => {
  it('is fetched once for readers at the same place, at the same time or shortly after', async () => {
    const store = new Store();
    const shared = new SharedOutput(store);
    const all = await Promise.all(Array.from({ length: 100 }, () => shared.readChunks(ID, 5, 10)));
    expect(new Set(all.map(([chunk]) => chunk)).size).toBe(1);
    await shared.readChunks(ID, 5, 10);
    expect(store.fetches).toBe(1);
    await shared.readChunks(OTHER, 5, 10);
    await shared.readChunks(ID, 15, 10);
    await shared.readStreamChunks(ID, 'stdout', 5, 10);
    await shared.readStreamChunks(ID, 'stderr', 5, 10);
    expect(store.fetches).toBe(5);
  });

  it('is asked for again where nothing was there, or the fetch failed', async () => {
    const store = new Store();
    const shared = new SharedOutput(store);
    store.end = 0;
    expect(await shared.readChunks(ID, 0, 10)).toEqual([]);
    store.end = 10;
    store.failure = new Error('away');
    const failed = await Promise.allSettled([shared.readChunks(ID, 0, 10), shared.readChunks(ID, 0, 10)]);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    store.failure = undefined;
    expect(await shared.readChunks(ID, 0, 10)).toHaveLength(1);
    expect(store.fetches).toBe(3);
  });

  it('is kept within a bound, the newest longest', async () => {
    const store = new Store();
    const shared = new SharedOutput(store);
    for (let n = 0; n < 40; n += 1) await shared.readChunks(ID, n * MEBIBYTE, MEBIBYTE);
    await shared.readChunks(ID, 39 * MEBIBYTE, MEBIBYTE);
    await shared.readChunks(ID, 24 * MEBIBYTE, MEBIBYTE);
    expect(store.fetches).toBe(40);
    await shared.readChunks(ID, 23 * MEBIBYTE, MEBIBYTE);
    expect(store.fetches).toBe(41);
  });
});
