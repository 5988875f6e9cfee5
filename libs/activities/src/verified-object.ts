import { createHash } from 'node:crypto';
import { DomainError, type ObjectStore } from '#domain';

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Writes an object and reads it back: what is deleted after this is known to be readable elsewhere. */
export async function putVerified(
  objects: ObjectStore,
  key: string,
  bytes: Uint8Array,
  contentType = 'application/octet-stream',
): Promise<void> {
  const sha256 = sha256Of(bytes);
  await objects.put(key, { bytes, contentLength: bytes.byteLength, sha256, contentType });
  const stored = await objects.get(key);
  const hash = createHash('sha256');
  let length = 0;
  for await (const part of stored.bytes) {
    hash.update(part);
    length += part.byteLength;
  }
  if (length === bytes.byteLength && hash.digest('hex') === sha256) return;
  throw new DomainError('internal', 'The object storage gives other bytes than it was given.', {
    detail: `${key}: ${length} of ${bytes.byteLength} bytes came back, or others.`,
  });
}
