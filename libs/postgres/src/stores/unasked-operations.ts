import {
  limits,
  restartsWith,
  type Operation,
  type OperationId,
  type Sandbox,
  type SandboxId,
} from '#domain';
import type { SqlRunner } from '../database.js';
import { createUnasked } from './operation-requests.js';
import { SANDBOX_COLUMNS, sandboxFrom, type SandboxRow } from './rows.js';

/** Their ids are their own, so this is never compared with anything. */
const REQUEST_OF_NOBODY = 'nobody';

/** When a sandbox was last of use: an operation or an exec has ended then, or files were on their way. */
const LAST_USE = `greatest(s.created_at, s.used_until,
  (SELECT max(o.finished_at) FROM operations o WHERE o.sandbox_id = s.id),
  (SELECT max(e.finished_at) FROM execs e WHERE e.sandbox_id = s.id))`;
const IS_USED = `EXISTS (SELECT 1 FROM execs e WHERE e.sandbox_id = s.id AND e.state IN ('queued', 'starting', 'running'))`;
/** Its end, or its check, has not been made good otherwise. */
export const IS_RESTARTABLE = `s.restart_due_at <= now() AND s.desired_state = 'running'
  AND s.observed_state = ANY (CASE s.restart_cause WHEN 'unhealthy' THEN ARRAY['running'] ELSE ARRAY['stopped', 'missing'] END)`;
const MAY_BE_IDLE = `s.idle_stop_seconds IS NOT NULL AND s.observed_state = 'running' AND s.desired_state = 'running'`;

export async function beginRestart(
  sql: SqlRunner,
  id: SandboxId,
  operationId: OperationId,
): Promise<Operation | undefined> {
  const sandbox = await lockedIf(sql, id, IS_RESTARTABLE);
  if (!sandbox?.restartDue) return undefined;
  const because = sandbox.restartDue.cause;
  // One that runs and is not well is ended first.
  const kind = because === 'unhealthy' ? 'restart' : 'start';
  const asked = { id: operationId, requestHash: REQUEST_OF_NOBODY, parks: true } as const;
  const operation = await createUnasked(sql, sandbox, { ...asked, kind, options: { because } });
  if (operation === undefined) return undefined;
  await sql(
    `UPDATE sandboxes SET restarts = $2, restart_due_at = NULL, restart_cause = NULL, updated_at = now() WHERE id = $1`,
    [id, JSON.stringify(restartsWith(sandbox.restarts, await nowOf(sql)))],
  );
  return operation;
}

/** By the clock by which it is read. */
async function nowOf(sql: SqlRunner): Promise<string> {
  const [row] = await sql<{ now: Date }>(`SELECT now() AS now`);
  if (row === undefined) throw new TypeError('The database told no time.');
  return row.now.toISOString();
}

/**
 * The lock is the one under which execs are claimed: one that was claimed before is seen, and none is claimed after it,
 * because the sandbox is held from then on. One that only waits is seen, or waits for the next start.
 */
export async function beginIdleStop(
  sql: SqlRunner,
  id: SandboxId,
  operationId: OperationId,
): Promise<Operation | undefined> {
  const sandbox = await lockedIf(sql, id, MAY_BE_IDLE);
  if (sandbox === undefined) return undefined;
  const [still] = await sql(
    `SELECT 1 FROM sandboxes s WHERE s.id = $1 AND NOT ${IS_USED}
       AND ${LAST_USE} <= now() - make_interval(secs => s.idle_stop_seconds)`,
    [id],
  );
  if (still === undefined) return undefined;
  const asked = { id: operationId, requestHash: REQUEST_OF_NOBODY, parks: true } as const;
  const operation = await createUnasked(sql, sandbox, {
    ...asked,
    kind: 'stop',
    options: { because: 'idle' },
  });
  if (operation === undefined) return undefined;
  await sql(`UPDATE sandboxes SET observed_state = 'stopping', updated_at = now() WHERE id = $1`, [id]);
  return operation;
}

/** Each sandbox is looked at about as often as it may become idle, and not at each pass. */
export async function takeIdle(sql: SqlRunner, limit: number): Promise<string[]> {
  const rows = await sql<{ id: string; isIdle: boolean }>(
    `WITH looked AS (
       SELECT s.id, s.idle_stop_seconds AS seconds, ${IS_USED} AS used, ${LAST_USE} AS last_use FROM sandboxes s
       WHERE ${MAY_BE_IDLE} AND (s.idle_due_at IS NULL OR s.idle_due_at <= now())
       ORDER BY s.idle_due_at NULLS FIRST LIMIT $1)
     UPDATE sandboxes s SET idle_due_at = CASE
         WHEN looked.used THEN now() + make_interval(secs => least(looked.seconds, $2::int))
         ELSE looked.last_use + make_interval(secs => looked.seconds) END
     FROM looked WHERE s.id = looked.id
     RETURNING s.id, NOT looked.used AND looked.last_use <= now() - make_interval(secs => looked.seconds) AS "isIdle"`,
    [limit, limits.IDLE_LOOK_SECONDS_MAX],
  );
  return rows.filter(({ isIdle }) => isIdle).map(({ id }) => id);
}

async function lockedIf(sql: SqlRunner, id: SandboxId, condition: string): Promise<Sandbox | undefined> {
  const [row] = await sql<SandboxRow>(
    `SELECT ${SANDBOX_COLUMNS} FROM sandboxes s WHERE s.id = $1 AND ${condition} FOR UPDATE`,
    [id],
  );
  return row && sandboxFrom(row);
}
