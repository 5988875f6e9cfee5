import type { OwnerId, SandboxId, SnapshotId, TenantId } from '../ids.js';

/** `writing`: not to be relied on. `ready`: all of it has been read back. */
export type SnapshotState = 'writing' | 'ready';

/** What an archive of a workspace holds, and what it had to leave out. Bytes are those of files. */
export interface ArchiveSummary {
  readonly formatVersion: number;
  readonly entries: number;
  readonly bytes: number;
  /** Of the tar stream, with its SHA-256 in lower-case hexadecimal. */
  readonly streamBytes: number;
  readonly sha256: string;
  /** Files that were written, moved or removed while they were read. */
  readonly changed: number;
  /** Sockets and devices, which are not kept. */
  readonly skipped: number;
}

/** The workspace of a sandbox at one moment, in object storage. It outlives the sandbox. */
export interface Snapshot {
  readonly id: SnapshotId;
  readonly tenantId: TenantId;
  readonly ownerId: OwnerId;
  readonly sandboxId: SandboxId;
  /** What the sandbox was made of. */
  readonly image: string;
  readonly state: SnapshotState;
  /** Part of the keys of its objects: each attempt to write it has keys of its own. */
  readonly attempt: string;
  readonly parts: number;
  readonly manifestSha256: string | null;
  /** Null until it is ready. */
  readonly summary: ArchiveSummary | null;
  readonly createdAt: string;
  readonly readyAt: string | null;
}

/** The object beside the parts of a snapshot that says what they are. */
export interface SnapshotManifest {
  readonly snapshotId: string;
  readonly sandboxId: string;
  readonly image: string;
  readonly createdAt: string;
  readonly summary: ArchiveSummary;
  /** In the order of the stream. */
  readonly parts: readonly SnapshotPart[];
}

export interface SnapshotPart {
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
}

type Keyed = Pick<Snapshot, 'tenantId' | 'id' | 'attempt'>;

const DIGITS = 5;

export const snapshotPrefix = ({ tenantId, id, attempt }: Keyed): string =>
  `snapshots/${tenantId}/${id}/${attempt}/`;

export const snapshotPartKey = (snapshot: Keyed, number: number): string =>
  `${snapshotPrefix(snapshot)}${String(number).padStart(DIGITS, '0')}`;

export const snapshotManifestKey = (snapshot: Keyed): string => `${snapshotPrefix(snapshot)}manifest.json`;
