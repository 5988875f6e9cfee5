import { DomainError, type ObjectBody, type ObjectPage, type ObjectStore, type StoredObject } from '#domain';

/** Objects as bytes in memory. */
export class MemoryObjects implements ObjectStore {
  readonly objects = new Map<string, Uint8Array>();

  async ensureBucket(): Promise<void> {
    await Promise.resolve();
  }

  async probe(): Promise<void> {
    await Promise.resolve();
  }

  async put(key: string, { bytes }: ObjectBody): Promise<void> {
    const pieces: Uint8Array[] = [];
    if (bytes instanceof Uint8Array) pieces.push(bytes);
    else for await (const piece of bytes) pieces.push(piece);
    this.objects.set(key, Buffer.concat(pieces));
  }

  async get(key: string): Promise<StoredObject> {
    const bytes = await Promise.resolve(this.objects.get(key));
    if (!bytes) throw new DomainError('not_found', 'There is no such object.');
    return { sizeBytes: bytes.byteLength, contentLength: bytes.byteLength, bytes: once(bytes) };
  }

  async delete(key: string): Promise<void> {
    this.objects.delete(key);
    await Promise.resolve();
  }

  async list(prefix: string): Promise<ObjectPage> {
    const found = [...this.objects].filter(([key]) => key.startsWith(prefix));
    const objects = found.map(([key, bytes]) => ({ key, sizeBytes: bytes.byteLength }));
    return await Promise.resolve({ objects, next: undefined });
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
