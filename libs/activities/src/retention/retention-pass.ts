import {
  isDomainError,
  limits,
  type ExecId,
  type Log,
  type ObjectStore,
  type OwnerOfOutput,
  type RetentionPolicy,
  type RetentionStore,
  type SnapshotPolicy,
  type SnapshotStore,
  type WakeSender,
} from '#domain';
import type { RetentionResult } from '../contract.js';

export interface RetentionPorts {
  readonly retention: RetentionStore;
  readonly objects: ObjectStore;
  readonly policy: RetentionPolicy;
  readonly snapshots: Pick<SnapshotStore, 'expire'>;
  readonly snapshotPolicy: SnapshotPolicy;
  readonly wake: WakeSender;
  readonly log: Log;
}

/**
 * First the rows say that output and snapshots have expired, then its bytes go: from the database, and from object storage together
 * with what crashes have left behind there. Each part does a bounded amount and is safe to repeat from its beginning.
 */
export async function retentionPass(
  ports: RetentionPorts,
  after: OwnerOfOutput | null,
  signal: AbortSignal,
): Promise<RetentionResult> {
  const { next, expired } = await expireOutputs(ports, after, signal);
  const snapshots = await ports.snapshots.expire(
    ports.snapshotPolicy,
    limits.RETENTION_SNAPSHOTS_PER_PASS_MAX,
  );
  const erased = await eraseChunks(ports, signal);
  const { removed, stoppedBy } = await removeObjects(ports, signal);
  return { next, expired, snapshots, erased, removed, stoppedBy };
}

/** Goes through the owners in their order and returns with whom to go on; null after the last one. */
async function expireOutputs(
  ports: RetentionPorts,
  after: OwnerOfOutput | null,
  signal: AbortSignal,
): Promise<{ next: OwnerOfOutput | null; expired: number }> {
  const { retention, policy, wake } = ports;
  const owners = await retention.listOwners(after ?? undefined, limits.RETENTION_OWNERS_PER_PASS_MAX);
  let expired = 0;
  let next = after;
  for (const owner of owners) {
    let ids: ExecId[];
    do {
      if (signal.aborted || expired >= limits.RETENTION_EXECS_PER_PASS_MAX) return { next, expired };
      ids = await retention.listExpired(owner, policy, limits.RETENTION_EXECS_PER_STEP_MAX);
      for (const id of ids) {
        if (!(await retention.expire(id))) continue;
        expired += 1;
        wake.wake(`exec:${id}`);
      }
    } while (ids.length === limits.RETENTION_EXECS_PER_STEP_MAX);
    next = owner;
  }
  return { next: owners.length < limits.RETENTION_OWNERS_PER_PASS_MAX ? null : next, expired };
}

async function eraseChunks({ retention }: RetentionPorts, signal: AbortSignal): Promise<number> {
  let erased = 0;
  for (const id of await retention.listUnerased(limits.RETENTION_EXECS_PER_PASS_MAX)) {
    let done = false;
    while (!done) {
      if (signal.aborted) return erased;
      done = await retention.erase(id, limits.ERASED_CHUNKS_PER_STEP_MAX);
    }
    erased += 1;
  }
  return erased;
}

/** The only place that deletes objects. It asks each time whether anything still refers to them. */
async function removeObjects(
  { retention, objects, log }: RetentionPorts,
  signal: AbortSignal,
): Promise<Pick<RetentionResult, 'removed' | 'stoppedBy'>> {
  const removals = await retention.takeRemovals(
    limits.PENDING_OBJECT_STALE_MS,
    limits.REMOVED_OBJECTS_PER_PASS_MAX,
  );
  const referenced = await retention.listReferenced(removals.map((removal) => removal.key));
  let removed = 0;
  for (const removal of removals) {
    if (signal.aborted) break;
    try {
      if (!referenced.has(removal.key)) {
        await objects.delete(removal.key);
        removed += 1;
      }
    } catch (error) {
      if (!isDomainError(error)) throw error;
      log.warn({ err: error }, 'Objects of expired output stay for now.');
      return { removed, stoppedBy: error.code };
    }
    await retention.endRemoval(removal);
  }
  return { removed, stoppedBy: null };
}
