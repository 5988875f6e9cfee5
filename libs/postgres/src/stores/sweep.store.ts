import {
  EXEC_TRANSITIONS,
  execId,
  liveStates,
  operationId,
  OPERATION_TRANSITIONS,
  type SweepRow,
  type SweepStore,
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

const LIVE_EXEC = liveStates(EXEC_TRANSITIONS);
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
       WHERE e.state = ANY($1) AND e.workflow_started_at IS NULL
         AND e.created_at < now() - make_interval(secs => $2) ORDER BY e.created_at LIMIT $3`,
      [LIVE_EXEC, olderThanMs / 1_000, limit],
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
         SELECT id FROM execs WHERE state = ANY($1)
           AND coalesce(verified_at, workflow_started_at) < now() - make_interval(secs => $2)
         ORDER BY coalesce(verified_at, workflow_started_at) LIMIT $3)
       RETURNING ${EXEC_COLUMNS}`,
      [LIVE_EXEC, olderThanMs / 1_000, limit],
    );
    return [...operations.map(operationRow), ...execs.map(execRow)];
  }
}

const operationRow = (row: OperationRow): SweepRow => ({
  kind: 'operation',
  id: operationId(row.id),
  operation: operationFrom(row),
});

const execRow = (row: ExecRow): SweepRow => ({ kind: 'exec', id: execId(row.id), exec: execFrom(row) });
