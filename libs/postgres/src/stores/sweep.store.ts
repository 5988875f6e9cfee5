import {
  EXEC_TRANSITIONS,
  execId,
  liveStates,
  operationId,
  OPERATION_TRANSITIONS,
  sandboxId,
  tenantId,
  type Exec,
  type SandboxId,
  type StrandedSandbox,
  type SweepRow,
  type SweepStore,
  GIT_KINDS,
} from '#domain';
import type { Database } from '../database.js';
import {
  EXEC_COLUMNS,
  execFrom,
  OPERATION_COLUMNS,
  operationFrom,
  type ExecRow,
  type OperationRow,
} from './rows.js';
import { IS_RESTARTABLE, takeIdle } from './unasked-operations.js';

/** Written out, as the index of what has not ended says it: what has ended is never looked at. */
const UNENDED_EXEC = `state IN (${liveStates(EXEC_TRANSITIONS)
  .map((state) => `'${state}'`)
  .join(', ')})`;
const LIVE_OPERATION = liveStates(OPERATION_TRANSITIONS);

export class PostgresSweepStore implements SweepStore {
  constructor(private readonly database: Database) {}

  async listUnstarted(olderThanMs: number, limit: number): Promise<SweepRow[]> {
    const operations = await this.database.query<OperationRow>(
      `SELECT ${OPERATION_COLUMNS} FROM operations o
       WHERE o.state = ANY($1) AND o.workflow_started_at IS NULL
         AND o.created_at < now() - make_interval(secs => $2) ORDER BY o.created_at LIMIT $3`,
      [LIVE_OPERATION, olderThanMs / 1_000, limit],
    );
    const execs = await this.database.query<ExecRow>(
      `SELECT ${EXEC_COLUMNS} FROM execs e
       WHERE e.${UNENDED_EXEC} AND e.workflow_started_at IS NULL
         AND e.created_at < now() - make_interval(secs => $1) ORDER BY e.created_at LIMIT $2`,
      [olderThanMs / 1_000, limit],
    );
    return [...operations.map(operationRow), ...execs.map(execRow)];
  }

  async takeUnverified(olderThanMs: number, limit: number): Promise<SweepRow[]> {
    const operations = await this.database.query<OperationRow>(
      `UPDATE operations AS o SET verified_at = now() WHERE o.id IN (
         SELECT id FROM operations WHERE state = ANY($1)
           AND coalesce(verified_at, workflow_started_at) < now() - make_interval(secs => $2)
         ORDER BY coalesce(verified_at, workflow_started_at) LIMIT $3)
       RETURNING ${OPERATION_COLUMNS}`,
      [LIVE_OPERATION, olderThanMs / 1_000, limit],
    );
    const execs = await this.database.query<ExecRow>(
      `UPDATE execs AS e SET verified_at = now() WHERE e.id IN (
         SELECT id FROM execs WHERE ${UNENDED_EXEC}
           AND coalesce(verified_at, workflow_started_at) < now() - make_interval(secs => $1)
         ORDER BY coalesce(verified_at, workflow_started_at) LIMIT $2)
       RETURNING ${EXEC_COLUMNS}`,
      [olderThanMs / 1_000, limit],
    );
    return [...operations.map(operationRow), ...execs.map(execRow)];
  }

  async takeCanceling(olderThanMs: number, againAfterMs: number, limit: number): Promise<Exec[]> {
    const rows = await this.database.query<ExecRow>(
      `UPDATE execs AS e SET verified_at = now() WHERE e.id IN (
         SELECT id FROM execs WHERE ${UNENDED_EXEC}
           AND cancel_requested_at < now() - make_interval(secs => $1)
           AND (verified_at IS NULL OR verified_at < cancel_requested_at + make_interval(secs => $1)
             OR verified_at < now() - make_interval(secs => $2))
         ORDER BY cancel_requested_at LIMIT $3)
       RETURNING ${EXEC_COLUMNS}`,
      [olderThanMs / 1_000, againAfterMs / 1_000, limit],
    );
    return rows.map(execFrom);
  }

  async listStranded(olderThanMs: number, limit: number): Promise<StrandedSandbox[]> {
    const rows = await this.database.query<{ id: string; tenantId: string }>(
      `SELECT s.id, s.tenant_id AS "tenantId" FROM sandboxes s
       WHERE s.desired_state = 'running' AND s.observed_state IN ('stopped', 'missing')
         AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.sandbox_id = s.id AND o.state = ANY($1))
         AND EXISTS (SELECT 1 FROM execs e WHERE e.sandbox_id = s.id AND e.state = 'queued'
           AND e.cancel_requested_at IS NULL AND e.created_at < now() - make_interval(secs => $2)
           AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.sandbox_id = s.id AND o.finished_at > e.created_at
             AND o.state IN ('failed', 'canceled') AND o.started_at IS NOT NULL))
       LIMIT $3`,
      [LIVE_OPERATION, olderThanMs / 1_000, limit],
    );
    return rows.map(({ id, tenantId: tenant }) => ({ id: sandboxId(id), tenantId: tenantId(tenant) }));
  }

  async listRestartable(limit: number): Promise<SandboxId[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT s.id FROM sandboxes s
       WHERE ${IS_RESTARTABLE}
         AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.sandbox_id = s.id AND o.state = ANY($1)
           AND NOT (o.state = 'parked' AND o.kind = ANY($3) AND s.restart_cause <> 'unhealthy'))
       ORDER BY s.restart_due_at LIMIT $2`,
      [LIVE_OPERATION, limit, GIT_KINDS],
    );
    return rows.map(({ id }) => sandboxId(id));
  }

  async takeIdle(limit: number): Promise<SandboxId[]> {
    return (await this.database.transaction((sql) => takeIdle(sql, limit))).map((id) => sandboxId(id));
  }

  async forgetKeys(olderThanMs: number, limit: number): Promise<number> {
    const rows = await this.database.query(
      `DELETE FROM idempotency_keys WHERE (tenant_id, key_id) IN (
         SELECT tenant_id, key_id FROM idempotency_keys
         WHERE created_at < now() - make_interval(secs => $1) ORDER BY created_at LIMIT $2)
       RETURNING key_id`,
      [olderThanMs / 1_000, limit],
    );
    return rows.length;
  }
}

const operationRow = (row: OperationRow): SweepRow => ({
  kind: 'operation',
  id: operationId(row.id),
  operation: operationFrom(row),
});

const execRow = (row: ExecRow): SweepRow => ({ kind: 'exec', id: execId(row.id), exec: execFrom(row) });
