import { v7 as uuidv7 } from 'uuid';
import {
  DomainError,
  endOfBulk,
  execId,
  failureFrom,
  ITEM_AFTER_EXEC,
  ITEM_AFTER_OPERATION,
  limits,
  needsStart,
  operationId,
  type Bulk,
  type BulkId,
  type BulkItemState,
  type BulkWork,
  type ExecId,
  type Failure,
  type OperationId,
  type RunningItem,
  type Sandbox,
} from '#domain';
import type { SqlRunner } from '../database.js';
import { BULK_COLUMNS, bulkFrom, type BulkRow } from './bulk.rows.js';
import { insertQueued, queueFull, type QueueLimits } from './exec-queue.js';
import { ensureNeeded, requestInTransaction } from './operation-requests.js';
import {
  EXEC_COLUMNS,
  execFrom,
  OPERATION_COLUMNS,
  operationFrom,
  SANDBOX_COLUMNS,
  sandboxFrom,
  type ExecRow,
  type OperationRow,
  type SandboxRow,
  jsonOf,
} from './rows.js';

/** What the run of a bulk operation does to its rows. */
export async function lockedBulk(sql: SqlRunner, id: BulkId): Promise<Bulk> {
  await sql(`SELECT 1 FROM bulk_operations WHERE id = $1 FOR UPDATE`, [id]);
  const [row] = await sql<BulkRow>(`SELECT ${BULK_COLUMNS} FROM bulk_operations b WHERE b.id = $1`, [id]);
  if (!row) throw new DomainError('not_found', 'There is no such bulk operation.');
  return bulkFrom(row);
}

/** An item with an exec ends with that, and any other one with its operation. */
export async function settleItems(sql: SqlRunner, id: BulkId): Promise<number> {
  const settled = await sql(
    `UPDATE bulk_items AS i SET state = d.state, failure = d.failure, finished_at = now()
     FROM (SELECT r.item_no, r.attempts,
         CASE WHEN r.exec_id IS NULL THEN $2::jsonb->>o.state ELSE $3::jsonb->>e.state END AS state,
         CASE WHEN coalesce(e.state, o.state) <> 'succeeded' THEN coalesce(e.failure, o.failure, jsonb_build_object(
           'code', 'invalid_state', 'message', 'It ended as ' || coalesce(e.state, o.state) || '.')) END AS failure
       FROM bulk_items r LEFT JOIN execs e ON e.id = r.exec_id LEFT JOIN operations o ON o.id = r.operation_id
       WHERE r.bulk_id = $1 AND r.state = 'running') AS d
     WHERE i.bulk_id = $1 AND i.item_no = d.item_no AND i.state = 'running' AND i.attempts = d.attempts
       AND d.state IS NOT NULL
     RETURNING i.item_no`,
    [id, JSON.stringify(ITEM_AFTER_OPERATION), JSON.stringify(ITEM_AFTER_EXEC)],
  );
  return settled.length;
}

interface PendingItem {
  readonly itemNo: number;
  readonly sandboxId: string;
}

export async function beginItems(
  sql: SqlRunner,
  queues: QueueLimits,
  id: BulkId,
): Promise<{ begun: number; hasMore: boolean; waitMs: number }> {
  const bulk = await lockedBulk(sql, id);
  const room = bulk.concurrencyMax - bulk.counts.running;
  if (bulk.state !== 'running' || room <= 0 || bulk.counts.pending === 0) {
    return { begun: 0, hasMore: false, waitMs: 0 };
  }
  const waitMs = await delayOf(sql, bulk);
  if (waitMs > 0) return { begun: 0, hasMore: false, waitMs };
  const items = await sql<PendingItem>(
    `SELECT item_no AS "itemNo", sandbox_id AS "sandboxId" FROM bulk_items
     WHERE bulk_id = $1 AND state = 'pending' ORDER BY item_no LIMIT $2`,
    [id, bulk.delayMs > 0 ? 1 : Math.min(room, limits.BULK_BEGIN_ITEMS_MAX)],
  );
  for (const item of items) await begin(sql, queues, bulk, item);
  await sql(`UPDATE bulk_operations SET last_begun_at = clock_timestamp() WHERE id = $1`, [id]);
  const hasMore = bulk.counts.pending > items.length;
  return { begun: items.length, hasMore, waitMs: hasMore ? bulk.delayMs : 0 };
}

/** Milliseconds until the next item may begin. */
async function delayOf(sql: SqlRunner, { id, delayMs }: Bulk): Promise<number> {
  if (delayMs === 0) return 0;
  const [row] = await sql<{ waitMs: number | null }>(
    `SELECT ceil($2 - extract(epoch FROM clock_timestamp() - last_begun_at) * 1000)::int AS "waitMs"
     FROM bulk_operations WHERE id = $1`,
    [id, delayMs],
  );
  return Math.max(0, row?.waitMs ?? 0);
}

interface Begun {
  readonly state: BulkItemState;
  readonly operationId?: OperationId;
  readonly execId?: ExecId;
  readonly failure?: Failure;
}

/** The item and what does it are one transaction: neither is there without the other. */
async function begin(sql: SqlRunner, queues: QueueLimits, bulk: Bulk, item: PendingItem): Promise<void> {
  const begun = await attempt(sql, queues, bulk, item.sandboxId);
  await sql(
    `UPDATE bulk_items SET state = $3, attempts = attempts + 1, operation_id = $4, exec_id = $5, failure = $6,
       started_at = now(), finished_at = CASE WHEN $3 = 'running' THEN NULL ELSE now() END
     WHERE bulk_id = $1 AND item_no = $2 AND state = 'pending'`,
    [
      bulk.id,
      item.itemNo,
      begun.state,
      begun.operationId ?? null,
      begun.execId ?? null,
      begun.failure ? jsonOf(begun.failure) : null,
    ],
  );
}

async function attempt(sql: SqlRunner, queues: QueueLimits, bulk: Bulk, sandboxId: string): Promise<Begun> {
  const [row] = await sql<SandboxRow>(
    `SELECT ${SANDBOX_COLUMNS} FROM sandboxes s WHERE s.tenant_id = $1 AND s.id = $2 FOR UPDATE`,
    [bulk.tenantId, sandboxId],
  );
  const { work } = bulk;
  await sql('SAVEPOINT item');
  try {
    if (!row) throw new DomainError('not_found', 'There is no such sandbox.');
    const sandbox = sandboxFrom(row);
    return work.action === 'exec'
      ? await beginExec(sql, queues, bulk, work, sandbox)
      : await beginOperation(sql, bulk, work, sandbox);
  } catch (error) {
    if (!(error instanceof DomainError) || error.code === 'dependency_unavailable') throw error;
    await sql('ROLLBACK TO SAVEPOINT item');
    const state = error.code === 'operation_in_progress' ? 'skipped_busy' : 'failed';
    return { state, failure: failureFrom(error) };
  }
}

/** An item has an operation of its own: one that somebody else has asked for, even for the same, is in its way. */
async function beginOperation(
  sql: SqlRunner,
  bulk: Bulk,
  { action, options }: Extract<BulkWork, { options: unknown }>,
  sandbox: Sandbox,
): Promise<Begun> {
  const id = operationId(uuidv7());
  const asked = { id, kind: action, options, requestHash: bulk.requestHash, parks: false };
  const { operation } = await requestInTransaction(sql, sandbox, asked);
  if (operation === null) return { state: 'succeeded' };
  if (operation.id === id) return { state: 'running', operationId: id };
  throw new DomainError(
    'operation_in_progress',
    `The sandbox is held by a ${operation.kind} (${operation.id}) that is ${operation.state}.`,
  );
}

async function beginExec(
  sql: SqlRunner,
  queues: QueueLimits,
  bulk: Bulk,
  { request, ifStopped }: Extract<BulkWork, { action: 'exec' }>,
  sandbox: Sandbox,
): Promise<Begun> {
  if (ifStopped === 'fail' && needsStart(sandbox)) {
    throw new DomainError(
      'invalid_state',
      `The sandbox does not run: its state is ${sandbox.observedState}.`,
    );
  }
  const start = { id: operationId(uuidv7()), requestHash: bulk.requestHash };
  const { created } = await ensureNeeded(sql, sandbox, start, false);
  const exec = {
    id: execId(uuidv7()),
    tenantId: sandbox.tenantId,
    ownerId: sandbox.ownerId,
    sandboxId: sandbox.id,
    request,
    requestHash: bulk.requestHash,
  };
  // Under the lock of the sandbox, so the last place in its queue may be taken.
  if (!(await insertQueued(sql, queues, exec, 0))) throw queueFull(queues[sandbox.tier].execsQueuedMax);
  return { state: 'running', execId: exec.id, ...(created ? { operationId: start.id } : {}) };
}

export async function runningItems(sql: SqlRunner, id: BulkId): Promise<RunningItem[]> {
  const operations = await sql<OperationRow & { itemNo: number }>(
    `SELECT i.item_no AS "itemNo", ${OPERATION_COLUMNS} FROM bulk_items i JOIN operations o ON o.id = i.operation_id
     WHERE i.bulk_id = $1 AND i.state = 'running'`,
    [id],
  );
  const execs = await sql<ExecRow & { itemNo: number }>(
    `SELECT i.item_no AS "itemNo", ${EXEC_COLUMNS} FROM bulk_items i JOIN execs e ON e.id = i.exec_id
     WHERE i.bulk_id = $1 AND i.state = 'running'`,
    [id],
  );
  const items = new Map<number, RunningItem>(
    operations.map((row) => [row.itemNo, { id: row.id, operation: operationFrom(row), exec: null }]),
  );
  for (const row of execs) {
    items.set(row.itemNo, {
      id: row.id,
      operation: items.get(row.itemNo)?.operation ?? null,
      exec: execFrom(row),
    });
  }
  return [...items.values()];
}

export async function finishBulk(sql: SqlRunner, id: BulkId): Promise<Bulk> {
  const bulk = await lockedBulk(sql, id);
  const state = endOfBulk(bulk.state, bulk.counts);
  if (state === undefined) return bulk;
  await sql(
    `UPDATE bulk_operations SET state = $2, attention_since = NULL, finished_at = now() WHERE id = $1`,
    [id, state],
  );
  return await lockedBulk(sql, id);
}
