import { DomainError, type SnapshotId } from '#domain';
import type { SqlRunner } from '../database.js';

/** In the transaction of the request: from here on nobody deletes it before the operation is there that needs it. */
export async function requireReadySnapshot(sql: SqlRunner, tenantId: string, id: SnapshotId): Promise<void> {
  const [row] = await sql<{ state: string }>(
    `SELECT state FROM snapshots WHERE tenant_id = $1 AND id = $2 FOR SHARE`,
    [tenantId, id],
  );
  if (!row) throw new DomainError('not_found', 'There is no such snapshot.');
  if (row.state !== 'ready') throw new DomainError('invalid_state', 'The snapshot is not ready.');
}
