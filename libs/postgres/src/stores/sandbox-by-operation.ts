import type { OperationId, SandboxId } from '#domain';
import type { Database } from '../database.js';
import { LIVE } from './operation-requests.js';

/** Fenced: only while the operation holds the sandbox. False when it does not. Values begin with $3. */
export async function changeByOperation(
  database: Database,
  {
    id,
    operationId,
    change,
    values = [],
  }: { id: SandboxId; operationId: OperationId; change: string; values?: readonly unknown[] },
): Promise<boolean> {
  const rows = await database.query(
    `UPDATE sandboxes s SET ${change}, updated_at = now()
     WHERE s.id = $1
       AND EXISTS (SELECT 1 FROM operations o WHERE o.id = $2 AND o.sandbox_id = s.id AND o.state IN ${LIVE})
     RETURNING s.id`,
    [id, operationId, ...values],
  );
  return rows.length > 0;
}
