import { createHash, randomUUID } from 'node:crypto';
import {
  DomainError,
  limits,
  snapshotId,
  snapshotManifestKey,
  snapshotPartKey,
  type ArchiveSummary,
  type ContainerEngine,
  type NewSnapshot,
  type ObjectStore,
  type Sandbox,
  type Snapshot,
  type SnapshotManifest,
  type SnapshotPart,
  type SnapshotStore,
} from '#domain';
import type { StepInput } from '../contract.js';
import { putVerified, sha256Of } from '../verified-object.js';

export interface SnapshotPorts {
  readonly snapshots: SnapshotStore;
  readonly objects: ObjectStore;
  readonly engine: ContainerEngine;
}

/** What a step that moves bytes says of itself, and what may end it. */
export interface Course {
  readonly signal: AbortSignal;
  /** Bytes in all until now. May reject: then the step has no right to go on. */
  readonly note: (bytes: number) => Promise<void>;
}

/** Announced objects must not look like those of a writer that is gone. */
const RENEW_MS = limits.PENDING_OBJECT_STALE_MS / 6;

/**
 * The workspace, part after part, into object storage: each part is announced, written once under a key of this attempt,
 * and read back. The last transaction makes the snapshot ready. What a crash leaves is removed by retention.
 */
export async function writeSnapshot(
  ports: SnapshotPorts,
  { operationId }: StepInput,
  sandbox: Sandbox,
  course: Course,
): Promise<Snapshot> {
  const { snapshots, engine } = ports;
  const wanted: NewSnapshot = {
    id: snapshotId(operationId),
    tenantId: sandbox.tenantId,
    ownerId: sandbox.ownerId,
    sandboxId: sandbox.id,
    image: sandbox.image,
    attempt: randomUUID(),
  };
  const begun = await snapshots.begin(wanted);
  if (begun.state === 'ready') return begun;
  const archive = await engine.readWorkspace(workspaceOf(sandbox), sandbox.image, course.signal);
  const stored = await storeParts(ports, wanted, archive.bytes, course);
  const summary = archive.summary();
  refuseDifference(summary, stored);
  const manifest: SnapshotManifest = {
    snapshotId: wanted.id,
    sandboxId: sandbox.id,
    image: sandbox.image,
    createdAt: begun.createdAt,
    summary,
    parts: stored.parts,
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  await storeObject(ports, wanted, snapshotManifestKey(wanted), bytes, 'application/json');
  const facts = { parts: stored.parts.length, manifestSha256: sha256Of(bytes), summary };
  if (!(await snapshots.publish(wanted, facts))) {
    throw new DomainError(
      'dependency_unavailable',
      'The snapshot took too long, or was written by another.',
      {
        dependency: 's3',
      },
    );
  }
  return await snapshots.get(wanted.id);
}

export const workspaceOf = ({ id, workspaceId }: Pick<Sandbox, 'id' | 'workspaceId'>) => ({
  sandboxId: id,
  workspaceId,
});

interface StoredParts {
  readonly parts: readonly SnapshotPart[];
  readonly bytes: number;
  readonly sha256: string;
}

async function storeParts(
  ports: SnapshotPorts,
  snapshot: NewSnapshot,
  source: AsyncIterable<Uint8Array>,
  { note }: Course,
): Promise<StoredParts> {
  const hash = createHash('sha256');
  const parts: SnapshotPart[] = [];
  let bytes = 0;
  let renewedAt = performance.now();
  for await (const part of inParts(source)) {
    const key = snapshotPartKey(snapshot, parts.length);
    if (parts.length >= limits.SNAPSHOT_PARTS_MAX) {
      throw new DomainError('archive_refused', `A snapshot has at most ${limits.SNAPSHOT_PARTS_MAX} parts.`);
    }
    hash.update(part);
    await storeObject(ports, snapshot, key, part);
    parts.push({ key, bytes: part.byteLength, sha256: sha256Of(part) });
    bytes += part.byteLength;
    await note(bytes);
    if (performance.now() - renewedAt > RENEW_MS) {
      await ports.snapshots.renew(snapshot.attempt);
      renewedAt = performance.now();
    }
  }
  return { parts, bytes, sha256: hash.digest('hex') };
}

async function storeObject(
  { snapshots, objects }: SnapshotPorts,
  snapshot: NewSnapshot,
  key: string,
  bytes: Uint8Array,
  contentType?: string,
): Promise<void> {
  await snapshots.announce({ key, attempt: snapshot.attempt }, snapshot);
  await putVerified(objects, key, bytes, contentType);
}

/** What left the workspace must be what has been stored: a stream may be cut without looking so. */
function refuseDifference(summary: ArchiveSummary, stored: StoredParts): void {
  if (summary.streamBytes === stored.bytes && summary.sha256 === stored.sha256) return;
  throw new DomainError('runner_unreachable', 'The workspace was not read to its end.', {
    detail: `${stored.bytes} of ${summary.streamBytes} bytes came, or others.`,
  });
}

/** The same bytes in pieces of SNAPSHOT_PART_BYTES. Each is valid until the next one is asked for. */
export async function* inParts(
  source: AsyncIterable<Uint8Array>,
  partBytes: number = limits.SNAPSHOT_PART_BYTES,
): AsyncGenerator<Uint8Array> {
  const part = Buffer.allocUnsafe(partBytes);
  let filled = 0;
  for await (const piece of source) {
    let taken = 0;
    while (taken < piece.byteLength) {
      const more = piece.subarray(taken, taken + partBytes - filled);
      part.set(more, filled);
      filled += more.byteLength;
      taken += more.byteLength;
      if (filled < partBytes) continue;
      yield part;
      filled = 0;
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
}
