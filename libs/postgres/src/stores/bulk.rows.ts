import {
  BULK_ITEM_STATES,
  bulkId,
  execId,
  operationId,
  ownerId,
  sandboxId,
  tenantId,
  type Bulk,
  type BulkCounts,
  type BulkItem,
  type BulkItemState,
} from '#domain';
import type { BulkItemEntity } from '../entities/bulk-item.entity.js';
import type { BulkOperationEntity } from '../entities/bulk-operation.entity.js';
import { isoOrNull } from './rows.js';

/** Counted when they are read, so that no number can disagree with the items. */
const COUNTS = `(SELECT coalesce(jsonb_object_agg(c.state, c.items), '{}') FROM (
    SELECT i.state, count(*) AS items FROM bulk_items i WHERE i.bulk_id = b.id GROUP BY i.state) c)`;

export const BULK_COLUMNS = `b.id, b.tenant_id AS "tenantId", b.owner_id AS "ownerId", b.work, b.selector, b.concurrency_max AS "concurrencyMax",
  b.delay_ms AS "delayMs", b.failure_budget AS "failureBudget", b.state, b.round, b.pause_no AS "pauseNo", b.pause,
  b.failures_forgiven AS "failuresForgiven", b.failure, b.request_hash AS "requestHash", b.last_begun_at AS "lastBegunAt",
  b.created_at AS "createdAt", b.started_at AS "startedAt", b.finished_at AS "finishedAt", ${COUNTS} AS counts`;

export const BULK_ITEM_COLUMNS = `i.item_no AS "itemNo", i.sandbox_id AS "sandboxId", i.owner_id AS "ownerId", i.state,
  i.attempts, i.operation_id AS "operationId", i.exec_id AS "execId", i.failure, i.started_at AS "startedAt",
  i.finished_at AS "finishedAt"`;

export type BulkRow = Omit<BulkOperationEntity, 'attentionSince' | 'verifiedAt'> & {
  readonly counts: Partial<Record<BulkItemState, number>>;
};
export type BulkItemRow = Omit<BulkItemEntity, 'bulkId' | 'tenantId'> & { readonly phase: string | null };

export function bulkFrom(row: BulkRow): Bulk {
  return {
    id: bulkId(row.id),
    tenantId: tenantId(row.tenantId),
    ownerId: row.ownerId === null ? null : ownerId(row.ownerId),
    work: row.work,
    selector: row.selector,
    concurrencyMax: row.concurrencyMax,
    delayMs: row.delayMs,
    failureBudget: row.failureBudget,
    state: row.state,
    round: row.round,
    pauseNo: row.pauseNo,
    pause: row.pause,
    failuresForgiven: row.failuresForgiven,
    failure: row.failure,
    counts: Object.fromEntries(
      BULK_ITEM_STATES.map((state) => [state, row.counts[state] ?? 0]),
    ) as unknown as BulkCounts,
    requestHash: row.requestHash,
    createdAt: row.createdAt.toISOString(),
    startedAt: isoOrNull(row.startedAt),
    finishedAt: isoOrNull(row.finishedAt),
  };
}

export function bulkItemFrom(row: BulkItemRow): BulkItem {
  return {
    number: row.itemNo,
    sandboxId: sandboxId(row.sandboxId),
    ownerId: ownerId(row.ownerId),
    state: row.state,
    phase: row.phase,
    attempts: row.attempts,
    failure: row.failure,
    operationId: row.operationId === null ? null : operationId(row.operationId),
    execId: row.execId === null ? null : execId(row.execId),
    startedAt: isoOrNull(row.startedAt),
    finishedAt: isoOrNull(row.finishedAt),
  };
}
