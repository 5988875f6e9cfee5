import {
  credentialId,
  DomainError,
  limits,
  operationId,
  ownerId,
  tenantId,
  type Credential,
  type CredentialId,
  type CredentialStore,
  type Ensured,
  type NewCredential,
  type OperationId,
  type OwnerId,
  type Page,
  type TenantId,
} from '#domain';
import type { Database } from '../database.js';
import type { CredentialEntity } from '../entities/credential.entity.js';
import type { SealingKeys } from '../sealing-keys.js';
import { LIVE } from './operation-requests.js';
import { Conditions, cursorAt, pageOf } from './page.js';

type CredentialRow = Omit<CredentialEntity, 'sealed' | 'keyId'>;

const COLUMNS = `c.id, c.tenant_id AS "tenantId", c.owner_id AS "ownerId", c.host, c.username,
  c.operation_id AS "operationId", c.created_at AS "createdAt"`;

export class PostgresCredentialStore implements CredentialStore {
  constructor(
    private readonly database: Database,
    private readonly keys: SealingKeys,
  ) {}

  async create(credential: NewCredential): Promise<Ensured<Credential>> {
    const sealed = this.keys.seal(credential.secret, contextOf(credential));
    const [created] = await this.database.query<CredentialRow>(
      `INSERT INTO credentials AS c (id, tenant_id, owner_id, host, username, sealed, key_id, operation_id)
       SELECT $1, $2, $3, $4, $5, $6, $7, $8
       WHERE $9 > (SELECT count(*) FROM credentials o WHERE o.tenant_id = $2 AND o.owner_id = $3)
       ON CONFLICT (id) DO NOTHING RETURNING ${COLUMNS}`,
      [
        credential.id,
        credential.tenantId,
        credential.ownerId,
        credential.host,
        credential.username,
        sealed.bytes,
        sealed.keyId,
        credential.operationId,
        limits.CREDENTIALS_PER_OWNER_MAX,
      ],
    );
    if (created) return { row: credentialFrom(created), created: true };
    const before = await this.find(credential.tenantId, credential.id);
    if (before) return { row: before, created: false };
    throw new DomainError(
      'rate_limited',
      `An owner has at most ${limits.CREDENTIALS_PER_OWNER_MAX} credentials.`,
    );
  }

  async list(
    tenant: TenantId,
    query: { ownerId?: OwnerId; limit: number; cursor?: string },
  ): Promise<Page<Credential>> {
    const conditions = new Conditions()
      .equal('c.tenant_id', tenant)
      .equal('c.owner_id', query.ownerId)
      .before('c', query.cursor);
    const limit = conditions.parameter(query.limit + 1);
    const rows = await this.database.query<CredentialRow & { cursorAt: string }>(
      `SELECT ${COLUMNS}, ${cursorAt('c')} FROM credentials c WHERE ${conditions.where} AND c.operation_id IS NULL
       ORDER BY c.created_at DESC, c.id DESC LIMIT ${limit}`,
      conditions.parameters,
    );
    return pageOf(rows, query.limit, credentialFrom);
  }

  async find(tenant: TenantId, id: CredentialId): Promise<Credential | undefined> {
    const [row] = await this.database.query<CredentialRow>(
      `SELECT ${COLUMNS} FROM credentials c WHERE c.tenant_id = $1 AND c.id = $2`,
      [tenant, id],
    );
    return row && credentialFrom(row);
  }

  async remove(tenant: TenantId, id: CredentialId): Promise<boolean> {
    const rows = await this.database.query(
      `DELETE FROM credentials WHERE tenant_id = $1 AND id = $2 AND operation_id IS NULL RETURNING id`,
      [tenant, id],
    );
    return rows.length > 0;
  }

  async open(
    tenant: TenantId,
    owner: OwnerId,
    id: CredentialId,
  ): Promise<(Credential & { readonly secret: string }) | undefined> {
    const [row] = await this.database.query<CredentialRow & Pick<CredentialEntity, 'sealed' | 'keyId'>>(
      `SELECT ${COLUMNS}, c.sealed, c.key_id AS "keyId" FROM credentials c
       WHERE c.tenant_id = $1 AND c.owner_id = $2 AND c.id = $3`,
      [tenant, owner, id],
    );
    if (!row) return undefined;
    const credential = credentialFrom(row);
    return {
      ...credential,
      secret: this.keys.open({ keyId: row.keyId, bytes: row.sealed }, contextOf(credential)),
    };
  }

  async removeOfOperation(id: OperationId): Promise<void> {
    await this.database.query(`DELETE FROM credentials WHERE operation_id = $1`, [id]);
  }

  async removeUnused(id: OperationId): Promise<void> {
    await this.database.query(
      `DELETE FROM credentials c WHERE c.operation_id = $1
         AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.id = c.operation_id AND o.state IN ${LIVE})`,
      [id],
    );
  }

  async removeLeft(olderThanMs: number, limit: number): Promise<number> {
    const rows = await this.database.query(
      `DELETE FROM credentials WHERE id IN (
         SELECT c.id FROM credentials c LEFT JOIN operations o ON o.id = c.operation_id
         WHERE c.operation_id IS NOT NULL AND (
           (o.id IS NOT NULL AND o.state NOT IN ${LIVE})
           OR (o.id IS NULL AND c.created_at < now() - $1 * interval '1 millisecond'))
         LIMIT $2) RETURNING id`,
      [olderThanMs, limit],
    );
    return rows.length;
  }
}

/** A sealed secret that was moved to another row, owner or host does not open there. */
const contextOf = ({
  id,
  tenantId: tenant,
  ownerId: owner,
  host,
}: Pick<Credential, 'id' | 'tenantId' | 'ownerId' | 'host'>): string =>
  JSON.stringify([id, tenant, owner, host]);

function credentialFrom(row: CredentialRow): Credential {
  return {
    id: credentialId(row.id),
    tenantId: tenantId(row.tenantId),
    ownerId: ownerId(row.ownerId),
    host: row.host,
    username: row.username,
    operationId: row.operationId === null ? null : operationId(row.operationId),
    createdAt: row.createdAt.toISOString(),
  };
}
