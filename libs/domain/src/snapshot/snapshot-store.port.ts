import type { OwnerId, SandboxId, SnapshotId, TenantId } from '../ids.js';
import type { ObjectWrite } from '../output/output-stores.port.js';
import type { Page } from '../ports/stores.port.js';
import type { ArchiveSummary, Snapshot } from './snapshot.js';

export interface NewSnapshot {
  readonly id: SnapshotId;
  readonly tenantId: TenantId;
  readonly ownerId: OwnerId;
  readonly sandboxId: SandboxId;
  readonly image: string;
  readonly attempt: string;
}

/**
 * Snapshots. Each object of one is announced before it is written, and one transaction makes the snapshot ready and takes
 * the announcements away; so what a crash leaves behind is known and is removed. Throws `dependency_unavailable` (postgres).
 */
export interface SnapshotStore {
  /**
   * A new attempt to write this snapshot; what an earlier one has stored is marked for removal. One that is ready already
   * is returned as it is. Throws `quota_exceeded` over SNAPSHOTS_PER_SANDBOX_MAX.
   */
  begin(snapshot: NewSnapshot): Promise<Snapshot>;
  /** From here on the object is removed again unless its snapshot becomes ready in time. */
  announce(write: ObjectWrite, snapshot: NewSnapshot): Promise<void>;
  /** The writing goes on: what it has announced is not old. */
  renew(attempt: string): Promise<void>;
  /** False when another attempt has begun since, or objects were removed because this one took too long. */
  publish(
    snapshot: Pick<Snapshot, 'id' | 'attempt'>,
    facts: { parts: number; manifestSha256: string; summary: ArchiveSummary },
  ): Promise<boolean>;
  /** One that is not ready goes, with its objects. */
  discard(id: SnapshotId): Promise<void>;
  find(tenantId: TenantId, id: SnapshotId): Promise<Snapshot | undefined>;
  get(id: SnapshotId): Promise<Snapshot>;
  count(sandboxId: SandboxId): Promise<number>;
  list(
    tenantId: TenantId,
    query: { sandboxId: SandboxId; limit: number; cursor?: string },
  ): Promise<Page<Snapshot>>;
  /** Its objects are marked for removal. False where there is none. Throws `operation_in_progress` while a restore needs it. */
  delete(tenantId: TenantId, id: SnapshotId): Promise<boolean>;
  /**
   * Removes what the policy does not keep, at most `limit`: all but the newest of each sandbox, those of sandboxes that were
   * deleted long ago, and what was never finished. Never one that a restore needs. Returns how many.
   */
  expire(policy: SnapshotPolicy, limit: number): Promise<number>;
}

export interface SnapshotPolicy {
  readonly keptPerSandbox: number;
  /** After this time the snapshots of a deleted sandbox go. */
  readonly deletedAgeMsMax: number;
}
