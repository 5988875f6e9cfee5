import {
  execId,
  ownerId,
  tenantId,
  type ExecId,
  type ObjectWrite,
  type OwnerOfOutput,
  type RetentionPolicy,
  type RetentionStore,
} from '#domain';
import type { Database, SqlRunner } from '../database.js';
import { removeObjects } from './pending-objects.js';
import { COMMAND_TEXT, plainWords } from './search.sql.js';

/** Its end is what makes an exec one that retention may touch. */
const KEPT = `finished_at IS NOT NULL AND output_state <> 'expired'`;

export class PostgresRetentionStore implements RetentionStore {
  constructor(private readonly database: Database) {}

  /** Steps from owner to owner through the index instead of reading every exec of each. */
  async listOwners(after: OwnerOfOutput | undefined, limit: number): Promise<OwnerOfOutput[]> {
    const next = (tenant: string, owner: string): string =>
      `SELECT tenant_id, owner_id FROM execs WHERE ${KEPT} AND (tenant_id, owner_id) > (${tenant}, ${owner})
       ORDER BY tenant_id, owner_id LIMIT 1`;
    const rows = await this.database.query<{ tenant_id: string; owner_id: string }>(
      `WITH RECURSIVE owners AS (
         SELECT first.*, 1 AS number FROM (${next('$1', '$2')}) first
         UNION ALL
         SELECT n.tenant_id, n.owner_id, o.number + 1 FROM owners o
         CROSS JOIN LATERAL (${next('o.tenant_id', 'o.owner_id')}) n WHERE o.number < $3)
       SELECT tenant_id, owner_id FROM owners`,
      [after?.tenantId ?? '', after?.ownerId ?? '', limit],
    );
    return rows.map((row) => ({ tenantId: tenantId(row.tenant_id), ownerId: ownerId(row.owner_id) }));
  }

  async listExpired(owner: OwnerOfOutput, policy: RetentionPolicy, limit: number): Promise<ExecId[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT id FROM (
         SELECT id, finished_at, row_number() OVER w AS place,
           sum(committed_position) OVER w - committed_position AS newer_bytes
         FROM execs WHERE tenant_id = $1 AND owner_id = $2 AND ${KEPT}
         WINDOW w AS (ORDER BY created_at DESC, id DESC)) ranked
       WHERE finished_at < now() - make_interval(secs => $6)
         AND (place > $3 OR newer_bytes >= $4 OR finished_at < now() - make_interval(secs => $5))
       ORDER BY place DESC LIMIT $7`,
      [
        owner.tenantId,
        owner.ownerId,
        policy.outputsMax,
        policy.bytesMax,
        policy.ageMsMax / 1_000,
        policy.ageMsMin / 1_000,
        limit,
      ],
    );
    return rows.map((row) => execId(row.id));
  }

  async expire(id: ExecId): Promise<boolean> {
    return await this.database.transaction((sql) => expireInTransaction(sql, id));
  }

  async listUnerased(limit: number): Promise<ExecId[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT id FROM execs WHERE output_state = 'expired' AND erased_at IS NULL ORDER BY expired_at LIMIT $1`,
      [limit],
    );
    return rows.map((row) => execId(row.id));
  }

  async erase(id: ExecId, chunksMax: number): Promise<boolean> {
    const deleted = await this.database.query(
      `DELETE FROM exec_chunks WHERE exec_id = $1 AND position IN (
         SELECT position FROM exec_chunks WHERE exec_id = $1 ORDER BY position LIMIT $2) RETURNING position`,
      [id, chunksMax],
    );
    if (deleted.length === chunksMax) return false;
    await this.database.query(
      `UPDATE execs SET erased_at = now() WHERE id = $1 AND output_state = 'expired' AND erased_at IS NULL`,
      [id],
    );
    return true;
  }

  async takeRemovals(staleMs: number, limit: number): Promise<ObjectWrite[]> {
    return await this.database.query<ObjectWrite>(
      `UPDATE pending_objects SET state = 'removing' WHERE key IN (
         SELECT key FROM pending_objects
         WHERE state = 'removing' OR since < now() - make_interval(secs => $1)
         ORDER BY since LIMIT $2 FOR UPDATE SKIP LOCKED)
       RETURNING key, attempt`,
      [staleMs / 1_000, limit],
    );
  }

  async listReferenced(keys: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await this.database.query<{ key: string }>(
      `SELECT key FROM unnest($1::text[]) AS k(key)
       WHERE EXISTS (SELECT 1 FROM exec_segments s WHERE s.object_key = k.key)
          OR EXISTS (SELECT 1 FROM execs e WHERE e.manifest_key = k.key)`,
      [keys],
    );
    return new Set(rows.map((row) => row.key));
  }

  async endRemoval({ key, attempt }: ObjectWrite): Promise<void> {
    await this.database.query(
      `DELETE FROM pending_objects WHERE key = $1 AND attempt = $2 AND state = 'removing'`,
      [key, attempt],
    );
  }
}

/** The words of the output go with the output; the command and its labels stay to be found. */
async function expireInTransaction(sql: SqlRunner, id: ExecId): Promise<boolean> {
  const [before] = await sql<{ manifestKey: string | null; tenantId: string; ownerId: string }>(
    `SELECT manifest_key AS "manifestKey", tenant_id AS "tenantId", owner_id AS "ownerId" FROM execs
     WHERE id = $1 AND ${KEPT} FOR NO KEY UPDATE`,
    [id],
  );
  if (!before) return false;
  await sql(
    `UPDATE execs e SET output_state = 'expired', expired_at = now(), manifest_key = NULL, manifest_offset = NULL,
       manifest_bytes = NULL, manifest_sha256 = NULL, search = to_tsvector('simple', ${plainWords(COMMAND_TEXT)})
     WHERE e.id = $1`,
    [id],
  );
  const segments = await sql<{ key: string }>(
    `DELETE FROM exec_segments WHERE exec_id = $1 RETURNING object_key AS key`,
    [id],
  );
  const keys = new Set(segments.map((segment) => segment.key));
  if (before.manifestKey !== null) keys.add(before.manifestKey);
  // A pack is asked for, too: it is removed when nothing refers to it any more.
  await removeObjects(sql, [...keys], before);
  return true;
}
