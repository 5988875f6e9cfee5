import {
  DomainError,
  snapshotManifestKey,
  snapshotPartKey,
  type ObjectStore,
  type Sandbox,
  type Snapshot,
  type SnapshotId,
  type SnapshotManifest,
  type SnapshotPart,
  type WorkspaceRef,
} from '#domain';
import { sha256Of } from '../verified-object.js';
import type { Course, SnapshotPorts } from './write-snapshot.js';

/** Of 10,000 parts with their keys; a longer one is none of ours. */
const MANIFEST_BYTES_MAX = 16 * 1_024 * 1_024;

/**
 * Makes a workspace of the snapshot, beside the one that the sandbox has. A part is handed on only after its hash was
 * found right, and the whole stream is compared once more by what extracts it.
 */
export async function unpackSnapshot(
  ports: SnapshotPorts,
  id: SnapshotId,
  workspace: WorkspaceRef,
  sandbox: Sandbox,
  course: Course,
): Promise<Snapshot> {
  const snapshot = await ports.snapshots.get(id);
  const { summary, parts } = await readManifest(ports.objects, snapshot, course.signal);
  const bytes = readParts(ports.objects, snapshot, parts, course);
  await ports.engine.unpackWorkspace(workspace, sandbox, { bytes, summary }, course.signal);
  return snapshot;
}

async function readManifest(
  objects: ObjectStore,
  snapshot: Snapshot,
  signal: AbortSignal,
): Promise<SnapshotManifest> {
  const key = snapshotManifestKey(snapshot);
  const bytes = await readObject(objects, key, MANIFEST_BYTES_MAX, signal);
  if (sha256Of(bytes) !== snapshot.manifestSha256) throw spoiled(key);
  return JSON.parse(bytes.toString()) as SnapshotManifest;
}

async function* readParts(
  objects: ObjectStore,
  snapshot: Snapshot,
  parts: readonly SnapshotPart[],
  { signal, note }: Course,
): AsyncGenerator<Uint8Array> {
  let sent = 0;
  for (const [number, part] of parts.entries()) {
    const key = snapshotPartKey(snapshot, number);
    const bytes = await readObject(objects, key, part.bytes, signal);
    if (sha256Of(bytes) !== part.sha256) throw spoiled(key);
    yield bytes;
    sent += bytes.byteLength;
    await note(sent);
  }
}

async function readObject(
  objects: ObjectStore,
  key: string,
  bytesMax: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const stored = await objects.get(key, { signal });
  if (stored.sizeBytes > bytesMax) throw spoiled(key);
  const pieces: Uint8Array[] = [];
  for await (const piece of stored.bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

function spoiled(key: string): DomainError {
  return new DomainError('archive_refused', 'The snapshot in object storage is not what was stored.', {
    detail: `${key} has other bytes.`,
  });
}
