import { DomainError, type IdempotencyKey, type IdempotencyStore } from '#domain';
import type { Database } from '../database.js';

export class PostgresIdempotencyStore implements IdempotencyStore {
  constructor(private readonly database: Database) {}

  async remember({ tenantId, ownerId, keyId, requestHash, resourceId }: IdempotencyKey): Promise<boolean> {
    const created = await this.database.query(
      `INSERT INTO idempotency_keys (tenant_id, key_id, owner_id, request_hash, resource_id)
       VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING key_id`,
      [tenantId, keyId, ownerId, requestHash, resourceId],
    );
    if (created.length > 0) return true;
    const [before] = await this.database.query<{ requestHash: string }>(
      `SELECT request_hash AS "requestHash" FROM idempotency_keys WHERE tenant_id = $1 AND key_id = $2`,
      [tenantId, keyId],
    );
    if (before === undefined || before.requestHash === requestHash) return false;
    throw new DomainError('idempotency_key_reused', 'This Idempotency-Key was used for another request.');
  }
}
