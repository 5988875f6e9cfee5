import {
  configured,
  sandboxId,
  type HostId,
  type OperationId,
  type Sandbox,
  type SandboxId,
  type SandboxStore,
  type SettingsChange,
} from '#domain';
import type { SqlRunner } from '../database.js';
import { LIVE } from './operation-requests.js';
import { json, SANDBOX_COLUMNS, sandboxFrom, type SandboxRow } from './rows.js';

/** So many milliseconds from now on; null for never. */
export const DUE_IN = (parameter: string): string =>
  `now() + make_interval(secs => ${parameter}::double precision / 1000)`;

/** In a transaction that holds the row lock of the sandbox. */
export async function configure(
  sql: SqlRunner,
  sandbox: Sandbox,
  change: SettingsChange,
  ifVersion: number | undefined,
): Promise<Sandbox> {
  const after = configured(sandbox, change, ifVersion);
  if (after === sandbox) return sandbox;
  const [row] = await sql<SandboxRow>(
    `UPDATE sandboxes s SET restart_policy = $2, idle_stop_seconds = $3, settings_version = $4,
       restart_due_at = $5, restart_cause = $6, health_check = $7, health = $8, health_due_at = NULL,
       snapshot_on_restart = $9, idle_due_at = NULL, updated_at = now()
     WHERE s.id = $1 RETURNING ${SANDBOX_COLUMNS}`,
    [
      sandbox.id,
      after.restartPolicy,
      after.idleStopSeconds,
      after.settingsVersion,
      after.restartDue?.at ?? null,
      after.restartDue?.cause ?? null,
      json(after.healthCheck),
      json(after.health),
      after.snapshotOnRestart,
    ],
  );
  return row ? sandboxFrom(row) : after;
}

export async function takeDueChecks(sql: SqlRunner, hostId: HostId, limit: number): Promise<Sandbox[]> {
  const rows = await sql<SandboxRow>(
    `UPDATE sandboxes s SET health_due_at = now() + make_interval(secs => (s.health_check->>'intervalSeconds')::int)
     WHERE s.id IN (SELECT d.id FROM sandboxes d
       WHERE d.host_id = $1 AND d.health_check IS NOT NULL AND d.observed_state = 'running'
         AND (d.health_due_at IS NULL OR d.health_due_at <= now())
         AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.sandbox_id = d.id AND o.state IN ${LIVE})
       ORDER BY d.health_due_at NULLS FIRST LIMIT $2 FOR UPDATE SKIP LOCKED)
     RETURNING ${SANDBOX_COLUMNS}`,
    [hostId, limit],
  );
  return rows.map(sandboxFrom);
}

export async function recordHealth(
  sql: SqlRunner,
  id: SandboxId,
  seen: Parameters<SandboxStore['recordHealth']>[1],
  holder: OperationId | null,
): Promise<boolean> {
  const rows = await sql(
    `UPDATE sandboxes s SET health = $3, updated_at = now(),
       restart_due_at = CASE WHEN $8 THEN ${DUE_IN('$4')} ELSE s.restart_due_at END,
       restart_cause = CASE WHEN $8 THEN $5 ELSE s.restart_cause END
     WHERE s.id = $1 AND s.generation = $2 AND s.settings_version = $7 AND s.observed_state IN ('running', 'starting')
       AND (SELECT o.id FROM operations o WHERE o.sandbox_id = s.id AND o.state IN ${LIVE})
         IS NOT DISTINCT FROM $6::uuid
     RETURNING s.id`,
    [
      id,
      seen.generation,
      json(seen.health),
      seen.restart?.delayMs ?? null,
      seen.restart?.cause ?? null,
      holder,
      seen.settingsVersion,
      seen.restart !== undefined,
    ],
  );
  return rows.length > 0;
}

/** The lock of each row is the one under which an idle stop looks whether anybody uses it. */
export async function noteUse(
  sql: SqlRunner,
  ids: readonly SandboxId[],
  forMs: number,
): Promise<SandboxId[]> {
  const rows = await sql<{ id: string }>(
    `UPDATE sandboxes s SET used_until = greatest(s.used_until, ${DUE_IN('$2')})
     WHERE s.id = ANY($1) AND s.observed_state = 'running' RETURNING s.id`,
    [ids, forMs],
  );
  return rows.map(({ id }) => sandboxId(id));
}
