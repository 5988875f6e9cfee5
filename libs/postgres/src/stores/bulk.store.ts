import {
  BULK_ITEM_RETRIABLE,
  controlled,
  decideControl,
  TIERS,
  type Bulk,
  type BulkControl,
  type BulkId,
  type BulkItem,
  type BulkItemState,
  type BulkSelection,
  type BulkState,
  type BulkRunStore,
  type BulkStore,
  type BulkSweepStore,
  type ControlDecision,
  type Ensured,
  type Failure,
  type NewBulk,
  type Page,
  type RunningItem,
  type SelectedSandboxes,
  type TenantId,
} from '#domain';
import type { Database, SqlRunner } from '../database.js';
import { beginItems, finishBulk, lockedBulk, runningItems, settleItems } from './bulk-run.js';
import { freezeSelection, refuseTooMany, refuseUnknown, selected, SELECTED_ORDER } from './bulk-selection.js';
import {
  BULK_COLUMNS,
  BULK_ITEM_COLUMNS,
  bulkFrom,
  bulkItemFrom,
  type BulkItemRow,
  type BulkRow,
} from './bulk.rows.js';
import type { QueueLimits } from './exec-queue.js';
import { keyReused } from './operation-requests.js';
import { Conditions, cursorAt, decodeNumberCursor, encodeNumberCursor, pageOf } from './page.js';
import { SANDBOX_COLUMNS, sandboxFrom, type SandboxRow, jsonOf } from './rows.js';

/** The step that the operation of an item is at, or the state of its exec. */
const PHASE = `coalesce((SELECT e.state FROM execs e WHERE e.id = i.exec_id),
  (SELECT o.steps->-1->>'name' FROM operations o WHERE o.id = i.operation_id)) AS phase`;

/** More than one attempt of a run says at once. */
const TAKEN_CONTROLS_KEPT = 100;
const TAKEN_WITH = (parameter: string): string =>
  `CASE WHEN ${parameter}::text IS NULL THEN taken_controls
     ELSE (taken_controls || ${parameter}::text)[greatest(1, cardinality(taken_controls) + 2 - ${TAKEN_CONTROLS_KEPT}):] END`;

export class PostgresBulkStore implements BulkStore, BulkRunStore, BulkSweepStore {
  constructor(
    private readonly database: Database,
    private readonly queues: QueueLimits = TIERS,
  ) {}

  async create(bulk: NewBulk): Promise<Ensured<Bulk>> {
    return await this.database.transaction(async (sql) => {
      const { selection } = bulk;
      const created = await sql(
        `INSERT INTO bulk_operations
           (id, tenant_id, work, selector, concurrency_max, delay_ms, failure_budget, state, request_hash, attention_since)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, now()) ON CONFLICT (id) DO NOTHING RETURNING id`,
        [
          bulk.id,
          bulk.tenantId,
          jsonOf(bulk.work),
          selection.kind === 'selector' ? jsonOf(selection.selector) : null,
          bulk.concurrencyMax,
          bulk.delayMs,
          bulk.failureBudget,
          bulk.requestHash,
        ],
      );
      if (created.length > 0) await freezeSelection(sql, bulk);
      const row = await lockedBulk(sql, bulk.id);
      if (row.requestHash !== bulk.requestHash) throw keyReused();
      if (!(await isAskedAnew(sql, bulk.id))) return { row, created: created.length > 0 };
      return { row: await lockedBulk(sql, bulk.id), created: true };
    });
  }

  async select(tenantId: TenantId, selection: BulkSelection, limit: number): Promise<SelectedSandboxes> {
    const conditions = selected(tenantId, selection);
    const { where } = conditions;
    const [counted] = await this.database.query<{ total: number }>(
      `SELECT count(*) AS total FROM sandboxes s WHERE ${where}`,
      conditions.parameters,
    );
    await refuseUnknown((...query) => this.database.query(...query), tenantId, selection);
    refuseTooMany(counted?.total ?? 0);
    const rows = await this.database.query<SandboxRow>(
      `SELECT ${SANDBOX_COLUMNS} FROM sandboxes s WHERE ${where} ORDER BY ${SELECTED_ORDER}
       LIMIT ${conditions.parameter(limit)}`,
      conditions.parameters,
    );
    return { total: counted?.total ?? 0, sandboxes: rows.map(sandboxFrom) };
  }

  async find(tenantId: TenantId, id: BulkId): Promise<Bulk | undefined> {
    const [row] = await this.database.query<BulkRow>(
      `SELECT ${BULK_COLUMNS} FROM bulk_operations b WHERE b.tenant_id = $1 AND b.id = $2`,
      [tenantId, id],
    );
    return row && bulkFrom(row);
  }

  async list(
    tenantId: TenantId,
    query: { state?: BulkState; limit: number; cursor?: string },
  ): Promise<Page<Bulk>> {
    const conditions = new Conditions()
      .equal('b.tenant_id', tenantId)
      .equal('b.state', query.state)
      .before('b', query.cursor);
    const limit = conditions.parameter(query.limit + 1);
    const rows = await this.database.query<BulkRow & { cursorAt: string }>(
      `SELECT ${BULK_COLUMNS}, ${cursorAt('b')} FROM bulk_operations b WHERE ${conditions.where}
       ORDER BY b.created_at DESC, b.id DESC LIMIT ${limit}`,
      conditions.parameters,
    );
    return pageOf(rows, query.limit, bulkFrom);
  }

  async items(
    id: BulkId,
    query: { state?: BulkItemState; limit: number; cursor?: string },
  ): Promise<Page<BulkItem>> {
    const conditions = new Conditions().equal('i.bulk_id', id).equal('i.state', query.state);
    conditions.above('i.item_no', query.cursor === undefined ? undefined : decodeNumberCursor(query.cursor));
    const limit = conditions.parameter(query.limit + 1);
    const rows = await this.database.query<BulkItemRow>(
      `SELECT ${BULK_ITEM_COLUMNS}, ${PHASE} FROM bulk_items i WHERE ${conditions.where}
       ORDER BY i.item_no LIMIT ${limit}`,
      conditions.parameters,
    );
    const items = rows.slice(0, query.limit).map(bulkItemFrom);
    const last = rows.length > query.limit ? items.at(-1) : undefined;
    return { items, nextCursor: last ? encodeNumberCursor(last.number) : null };
  }

  async control(id: BulkId, asked: BulkControl): Promise<{ bulk: Bulk; decision: ControlDecision }> {
    return await this.database.transaction(async (sql) => {
      const bulk = await lockedBulk(sql, id);
      if (await isTaken(sql, id, asked)) return { bulk, decision: 'so_already' };
      const decision = decideControl(bulk, asked);
      if (decision !== 'apply') return { bulk, decision };
      const changed = await changeItems(sql, bulk, asked);
      if (!changed) return { bulk, decision: 'so_already' };
      const { state, pauseNo, pause } = controlled(bulk, asked, Date.now());
      await sql(
        `UPDATE bulk_operations SET state = $2, pause_no = $3, pause = $4, attention_since = now(), finished_at = NULL,
           round = round + $5, failure = $6, taken_controls = ${TAKEN_WITH('$7')},
           failures_forgiven = (SELECT count(*) FROM bulk_items WHERE bulk_id = $1 AND state = 'failed')
         WHERE id = $1`,
        [
          id,
          state,
          pauseNo,
          pause && jsonOf(pause),
          asked.control === 'retry_failed' ? 1 : 0,
          asked.control === 'cancel' && asked.reason ? jsonOf(asked.reason) : null,
          asked.id ?? null,
        ],
      );
      return { bulk: await lockedBulk(sql, id), decision };
    });
  }

  async withdraw(id: BulkId, failure: Failure): Promise<boolean> {
    return await this.database.transaction(async (sql) => {
      const ended = await sql(
        `UPDATE bulk_operations SET state = 'canceled', failure = $2, attention_since = NULL, finished_at = now()
         WHERE id = $1 AND state = 'pending' RETURNING id`,
        [id, jsonOf(failure)],
      );
      if (ended.length > 0) await cancelPending(sql, id);
      return ended.length > 0;
    });
  }

  async attend(id: BulkId): Promise<Bulk> {
    return await this.database.transaction(async (sql) => {
      await lockedBulk(sql, id);
      await sql(
        `UPDATE bulk_operations SET attention_since = NULL, started_at = coalesce(started_at, now()),
           state = CASE WHEN state = 'pending' THEN 'running' ELSE state END
         WHERE id = $1 AND (attention_since IS NOT NULL OR state = 'pending')`,
        [id],
      );
      return await lockedBulk(sql, id);
    });
  }

  async settle(id: BulkId): Promise<number> {
    return await settleItems((...query) => this.database.query(...query), id);
  }

  async begin(id: BulkId): Promise<{ begun: number; hasMore: boolean; waitMs: number }> {
    return await this.database.transaction((sql) => beginItems(sql, this.queues, id));
  }

  async running(id: BulkId): Promise<RunningItem[]> {
    return await runningItems((...query) => this.database.query(...query), id);
  }

  async finish(id: BulkId): Promise<Bulk> {
    return await this.database.transaction((sql) => finishBulk(sql, id));
  }

  async listUnattended(olderThanMs: number, limit: number): Promise<Bulk[]> {
    const rows = await this.database.query<BulkRow>(
      `SELECT ${BULK_COLUMNS} FROM bulk_operations b
       WHERE b.attention_since < now() - make_interval(secs => $1) ORDER BY b.attention_since LIMIT $2`,
      [olderThanMs / 1_000, limit],
    );
    return rows.map(bulkFrom);
  }

  async takeUnverified(olderThanMs: number, limit: number): Promise<Bulk[]> {
    const rows = await this.database.query<BulkRow>(
      `UPDATE bulk_operations AS b SET verified_at = now() WHERE b.id IN (
         SELECT id FROM bulk_operations WHERE finished_at IS NULL AND attention_since IS NULL
           AND coalesce(verified_at, created_at) < now() - make_interval(secs => $1)
         ORDER BY coalesce(verified_at, created_at) LIMIT $2)
       RETURNING ${BULK_COLUMNS}`,
      [olderThanMs / 1_000, limit],
    );
    return rows.map(bulkFrom);
  }
}

/** One that was refused because its run could not be started is begun by the same request, once that is sent again. */
async function isAskedAnew(sql: SqlRunner, id: BulkId): Promise<boolean> {
  const anew = await sql(
    `UPDATE bulk_operations SET state = 'pending', failure = NULL, attention_since = now(), finished_at = NULL
     WHERE id = $1 AND state = 'canceled' AND started_at IS NULL AND failure IS NOT NULL RETURNING id`,
    [id],
  );
  if (anew.length === 0) return false;
  await sql(`UPDATE bulk_items SET state = 'pending', finished_at = NULL WHERE bulk_id = $1`, [id]);
  return true;
}

/** A run that is told nothing of what came of a control says it again, when others may have been taken since. */
async function isTaken(sql: SqlRunner, id: BulkId, asked: BulkControl): Promise<boolean> {
  if (asked.id === undefined) return false;
  const taken = await sql(`SELECT 1 FROM bulk_operations WHERE id = $1 AND $2 = ANY(taken_controls)`, [
    id,
    asked.id,
  ]);
  return taken.length > 0;
}

/** False where there is nothing to begin anew. */
async function changeItems(sql: SqlRunner, { id }: Bulk, asked: BulkControl): Promise<boolean> {
  if (asked.control === 'cancel') await cancelPending(sql, id);
  if (asked.control !== 'retry_failed') return true;
  const anew = await sql(
    `UPDATE bulk_items SET state = 'pending', failure = NULL, operation_id = NULL, exec_id = NULL, started_at = NULL,
       finished_at = NULL
     WHERE bulk_id = $1 AND state = ANY($2) AND ($3::uuid[] IS NULL OR sandbox_id = ANY($3)) RETURNING item_no`,
    [id, BULK_ITEM_RETRIABLE, asked.sandboxIds ?? null],
  );
  return anew.length > 0;
}

async function cancelPending(sql: SqlRunner, id: BulkId): Promise<void> {
  await sql(
    `UPDATE bulk_items SET state = 'canceled', finished_at = now() WHERE bulk_id = $1 AND state = 'pending'`,
    [id],
  );
}
