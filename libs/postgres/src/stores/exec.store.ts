import {
  DomainError,
  execId,
  TIERS,
  type Chunk,
  type ClaimResult,
  type Ensured,
  type Exec,
  type ExecEnd,
  type ExecId,
  type ExecListQuery,
  type ExecState,
  type ExecStore,
  type HostId,
  type NewExec,
  type OutputSource,
  type Page,
  type SandboxId,
  type TenantId,
  type TierName,
  type Topic,
} from '#domain';
import type { Database } from '../database.js';
import { CHANNEL, type PostgresWakeSender } from '../wake.js';
import {
  bufferOf,
  claim,
  insertQueued,
  queueFull,
  queuePositionsOf,
  QUEUE_HEADROOM,
  type QueueLimits,
} from './exec-queue.js';
import { Conditions, cursorAt, pageOf } from './page.js';
import {
  CHUNK_COLUMNS,
  chunkFrom,
  EXEC_COLUMNS,
  execFrom,
  type ChunkRow,
  type ExecRow,
  json,
} from './rows.js';
import { searchCondition, tsqueryOf } from './search.sql.js';

export class PostgresExecStore implements ExecStore, OutputSource {
  constructor(
    private readonly database: Database,
    private readonly wakes: PostgresWakeSender,
    private readonly queues: QueueLimits = TIERS,
  ) {}

  async create(exec: NewExec): Promise<Ensured<Exec>> {
    const created =
      (await insertQueued(
        (sql, parameters) => this.database.query(sql, parameters),
        this.queues,
        exec,
        QUEUE_HEADROOM,
      )) ??
      (await this.database.transaction(async (sql) => {
        await sql(`SELECT 1 FROM sandboxes WHERE id = $1 FOR NO KEY UPDATE`, [exec.sandboxId]);
        return await insertQueued(sql, this.queues, exec, 0);
      }));
    if (created) return { row: execFrom(created), created: true };
    return { row: await this.existing(exec), created: false };
  }

  /** Why nothing was created: the same request came before, or the sandbox does not take it. */
  private async existing(exec: NewExec): Promise<Exec> {
    const [row] = await this.database.query<ExecRow>(`SELECT ${EXEC_COLUMNS} FROM execs e WHERE e.id = $1`, [
      exec.id,
    ]);
    if (row) {
      if (row.requestHash === exec.requestHash && row.tenantId === exec.tenantId) return execFrom(row);
      throw new DomainError('idempotency_key_reused', 'This Idempotency-Key was used for another request.');
    }
    const [sandbox] = await this.database.query<{ observed: string; tier: TierName }>(
      `SELECT observed_state AS observed, tier FROM sandboxes WHERE id = $1 AND tenant_id = $2`,
      [exec.sandboxId, exec.tenantId],
    );
    if (!sandbox) throw new DomainError('not_found', 'There is no such sandbox.');
    if (sandbox.observed === 'deleted') {
      throw new DomainError('sandbox_deleted', 'The sandbox has been deleted.');
    }
    throw queueFull(this.queues[sandbox.tier].execsQueuedMax);
  }

  async find(tenantId: TenantId, id: ExecId): Promise<Exec | undefined> {
    const [row] = await this.database.query<ExecRow>(
      `SELECT ${EXEC_COLUMNS} FROM execs e WHERE e.tenant_id = $1 AND e.id = $2`,
      [tenantId, id],
    );
    return row && execFrom(row);
  }

  async get(id: ExecId): Promise<Exec> {
    const [row] = await this.database.query<ExecRow>(`SELECT ${EXEC_COLUMNS} FROM execs e WHERE e.id = $1`, [
      id,
    ]);
    if (!row) throw new DomainError('not_found', 'There is no such exec.');
    return execFrom(row);
  }

  async readInlineStdin(id: ExecId): Promise<Uint8Array> {
    const [row] = await this.database.query<{ bytes: Buffer | null }>(
      `SELECT inline_stdin AS bytes FROM execs WHERE id = $1`,
      [id],
    );
    return row?.bytes ?? new Uint8Array(0);
  }

  async list(tenantId: TenantId, query: ExecListQuery): Promise<Page<Exec>> {
    const conditions = new Conditions()
      .equal('e.tenant_id', tenantId)
      .equal('e.sandbox_id', query.sandboxId)
      .equal('e.owner_id', query.ownerId)
      .oneOf('e.state', query.states)
      .holds(`e.request->'labels'`, query.labels)
      .matching(query.words && tsqueryOf(query.words), searchCondition)
      .notBefore('e.created_at', query.createdAfter)
      .earlierThan('e.created_at', query.createdBefore)
      .before('e', query.cursor);
    const limit = conditions.parameter(query.limit + 1);
    const rows = await this.database.query<ExecRow & { cursorAt: string }>(
      `SELECT ${EXEC_COLUMNS}, ${cursorAt('e')} FROM execs e WHERE ${conditions.where}
       ORDER BY e.created_at DESC, e.id DESC LIMIT ${limit}`,
      conditions.parameters,
    );
    return pageOf(rows, query.limit, execFrom);
  }

  async queuePositions(
    execs: readonly Pick<Exec, 'id' | 'sandboxId'>[],
  ): Promise<ReadonlyMap<ExecId, number>> {
    return await queuePositionsOf((sql, parameters) => this.database.query(sql, parameters), execs);
  }

  async claim(id: ExecId, hostId: HostId): Promise<ClaimResult> {
    return await claim((sql, parameters) => this.database.query(sql, parameters), this.queues, id, hostId);
  }

  async markRunning(id: ExecId): Promise<boolean> {
    return await this.changed(
      id,
      (notify) =>
        `UPDATE execs SET state = 'running', started_at = now() WHERE id = $1 AND state = 'starting' RETURNING ${notify}`,
      [],
    );
  }

  async append(id: ExecId, chunk: Chunk): Promise<boolean> {
    return await this.changed(
      id,
      (notify) =>
        `WITH moved AS (
           UPDATE execs SET committed_position = $3, stdout_bytes = $5, stderr_bytes = $7,
             state = 'running', started_at = coalesce(started_at, now())
           WHERE id = $1 AND committed_position = $2 AND stdout_bytes = $4 AND stderr_bytes = $6
             AND state IN ('starting', 'running')
           RETURNING id, tenant_id, owner_id)
         INSERT INTO exec_chunks (exec_id, position, end_position, stdout_from, stdout_to, stderr_from, stderr_to,
           tenant_id, owner_id, frames)
         SELECT id, $2, $3, $4, $5, $6, $7, tenant_id, owner_id, $8 FROM moved RETURNING ${notify}`,
      [
        chunk.position,
        chunk.endPosition,
        chunk.stdoutFrom,
        chunk.stdoutTo,
        chunk.stderrFrom,
        chunk.stderrTo,
        bufferOf(chunk.frames),
      ],
    );
  }

  async end(id: ExecId, from: readonly ExecState[], end: ExecEnd): Promise<boolean> {
    return await this.changed(
      id,
      (notify) =>
        `UPDATE execs SET state = $3, exit_code = $4, signal = $5, failure = $6, exit_record = $7, evidence = $8, inline_stdin = NULL,
           started_at = coalesce(started_at, ($7::jsonb->>'startedAt')::timestamptz), finished_at = now()
         WHERE id = $1 AND state = ANY($2)
           AND ($7::jsonb IS NULL OR committed_position = ($7::jsonb->>'endPosition')::bigint)
         RETURNING ${notify}`,
      [
        from,
        end.state,
        end.exitCode,
        end.signal,
        json(end.failure),
        json(end.exitRecord),
        json(end.evidence),
      ],
    );
  }

  /**
   * Runs one fenced statement whose first parameter is the exec, and wakes its readers if it has changed the row: with
   * the same commit where nobody was woken a moment ago, and otherwise together with the next ones.
   */
  private async changed(
    id: ExecId,
    statement: (notify: string) => string,
    parameters: readonly unknown[],
  ): Promise<boolean> {
    const topic: Topic = `exec:${id}`;
    const rides = this.wakes.mayRideAlong();
    const notify = rides ? `pg_notify('${CHANNEL}', $${parameters.length + 2})` : '1';
    const rows = await this.database.query(statement(notify), [id, ...parameters, ...(rides ? [topic] : [])]);
    if (rows.length > 0 && !rides) this.wakes.wake(topic);
    return rows.length > 0;
  }

  async requestCancel(id: ExecId): Promise<void> {
    await this.database.query(
      `UPDATE execs SET cancel_requested_at = coalesce(cancel_requested_at, now())
       WHERE id = $1 AND state IN ('queued', 'starting', 'running')`,
      [id],
    );
  }

  async markWorkflowsStarted(ids: readonly ExecId[]): Promise<void> {
    await this.database.query(
      `UPDATE execs SET workflow_started_at = now()
       WHERE id = ANY($1) AND workflow_started_at IS NULL AND state IN ('queued', 'starting', 'running')`,
      [ids],
    );
  }

  async listLiveOnHost(hostId: HostId): Promise<Exec[]> {
    const rows = await this.database.query<ExecRow>(
      `SELECT ${EXEC_COLUMNS} FROM execs e WHERE e.host_id = $1 AND e.state IN ('starting', 'running')
       ORDER BY e.seq`,
      [hostId],
    );
    return rows.map(execFrom);
  }

  async listUnended(sandboxId: SandboxId): Promise<Exec[]> {
    const rows = await this.database.query<ExecRow>(
      `SELECT ${EXEC_COLUMNS} FROM execs e WHERE e.sandbox_id = $1 AND e.state IN ('queued', 'starting', 'running')
       ORDER BY e.seq`,
      [sandboxId],
    );
    return rows.map(execFrom);
  }

  async listStartable(sandboxId: SandboxId): Promise<ExecId[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT id FROM execs WHERE sandbox_id = $1 AND state = 'queued' ORDER BY seq
       LIMIT greatest(0, (SELECT ($2::jsonb->s.tier->>'execsRunningMax')::int FROM sandboxes s WHERE s.id = $1)
         - (SELECT count(*) FROM execs r WHERE r.sandbox_id = $1 AND r.state IN ('starting', 'running')))`,
      [sandboxId, JSON.stringify(this.queues)],
    );
    return rows.map((row) => execId(row.id));
  }

  async readChunks(id: ExecId, fromPosition: number, bytesMax: number): Promise<Chunk[]> {
    const columns = { start: 'position', order: 'position' };
    return await this.readWithin(`c.end_position > $2`, columns, id, fromPosition, bytesMax);
  }

  async readStreamChunks(
    id: ExecId,
    stream: 'stdout' | 'stderr',
    fromByte: number,
    bytesMax: number,
  ): Promise<Chunk[]> {
    const column = stream === 'stdout' ? 'stdout' : 'stderr';
    const condition = `c.${column}_to > $2 AND c.${column}_to > c.${column}_from`;
    const columns = { start: `${column}_from`, order: `${column}_to` };
    return await this.readWithin(condition, columns, id, fromByte, bytesMax);
  }

  /**
   * The sizes are summed before the bytes are fetched, so that a read never holds more than about `bytesMax`. What begins
   * after `from` is nobody's to fetch: the place itself is in object storage.
   */
  private async readWithin(
    condition: string,
    columns: { readonly start: string; readonly order: string },
    id: ExecId,
    from: number,
    bytesMax: number,
  ): Promise<Chunk[]> {
    const rows = await this.database.query<ChunkRow>(
      `SELECT ${CHUNK_COLUMNS} FROM (
         SELECT i.exec_id, i.position, first_value(i.start) OVER w AS start,
           sum(i.end_position - i.position) OVER w - (i.end_position - i.position) AS before
         FROM (SELECT c.exec_id, c.position, c.end_position, c.${columns.start} AS start FROM exec_chunks c
               WHERE c.exec_id = $1 AND ${condition} ORDER BY c.${columns.order} LIMIT 1000) i
         WINDOW w AS (ORDER BY i.position)
       ) picked JOIN exec_chunks c ON c.exec_id = picked.exec_id AND c.position = picked.position
       WHERE picked.before < $3 AND picked.start <= $2 ORDER BY c.position`,
      [id, from, bytesMax],
    );
    return rows.map(chunkFrom);
  }
}
