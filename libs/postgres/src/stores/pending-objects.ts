import type { ObjectWrite, OwnerOfOutput } from '#domain';
import type { SqlRunner } from '../database.js';

/** From here on the object is removed again unless `endWrites` comes in time. */
export async function beginWrite(sql: SqlRunner, write: ObjectWrite, scope: OwnerOfOutput): Promise<void> {
  await sql(
    `INSERT INTO pending_objects (key, state, attempt, tenant_id, owner_id) VALUES ($1, 'writing', $2, $3, $4)`,
    [write.key, write.attempt, scope.tenantId, scope.ownerId],
  );
}

/** The objects that an attempt has begun belong to what refers to them from here on. Returns how many. */
export async function endWrites(sql: SqlRunner, attempt: string): Promise<number> {
  const rows = await sql(
    `DELETE FROM pending_objects WHERE attempt = $1 AND state = 'writing' RETURNING key`,
    [attempt],
  );
  return rows.length;
}

/** What an attempt has begun is given up. */
export async function dropWrites(sql: SqlRunner, attempt: string): Promise<void> {
  await sql(`UPDATE pending_objects SET state = 'removing' WHERE attempt = $1`, [attempt]);
}

/** Nothing refers to these objects any more. */
export async function removeObjects(
  sql: SqlRunner,
  keys: readonly string[],
  scope: { readonly tenantId: string; readonly ownerId: string },
): Promise<void> {
  await sql(
    `INSERT INTO pending_objects (key, state, attempt, tenant_id, owner_id)
     SELECT key, 'removing', gen_random_uuid(), $2, $3 FROM unnest($1::text[]) AS k(key) ORDER BY key
     ON CONFLICT (key) DO UPDATE SET state = 'removing', attempt = excluded.attempt, since = now()`,
    [keys, scope.tenantId, scope.ownerId],
  );
}
