import type {
  Credential,
  CredentialId,
  CredentialStore,
  Ensured,
  NewCredential,
  OperationId,
  OwnerId,
  Page,
  TenantId,
} from '#domain';
import { pageOf } from './memory-page.js';

export class MemoryCredentials implements CredentialStore {
  readonly rows = new Map<CredentialId, Credential & { readonly secret: string }>();

  constructor(private readonly now: () => string) {}

  async create(credential: NewCredential): Promise<Ensured<Credential>> {
    const before = await Promise.resolve(this.rows.get(credential.id));
    const row = before ?? { ...credential, createdAt: this.now() };
    this.rows.set(row.id, row);
    return { row: withoutSecret(row), created: before === undefined };
  }

  async list(
    tenantId: TenantId,
    query: { ownerId?: OwnerId; limit: number; cursor?: string },
  ): Promise<Page<Credential>> {
    const rows = [...this.rows.values()].filter(
      (row) =>
        row.tenantId === tenantId &&
        row.operationId === null &&
        (query.ownerId === undefined || row.ownerId === query.ownerId),
    );
    return await Promise.resolve(pageOf(rows.map(withoutSecret), query));
  }

  async find(tenantId: TenantId, id: CredentialId): Promise<Credential | undefined> {
    const row = await Promise.resolve(this.rows.get(id));
    return row?.tenantId === tenantId ? withoutSecret(row) : undefined;
  }

  async remove(tenantId: TenantId, id: CredentialId): Promise<boolean> {
    const row = await this.find(tenantId, id);
    return row !== undefined && row.operationId === null && this.rows.delete(id);
  }

  async open(tenantId: TenantId, ownerId: OwnerId, id: CredentialId) {
    const row = await Promise.resolve(this.rows.get(id));
    return row?.tenantId === tenantId && row.ownerId === ownerId ? row : undefined;
  }

  async removeOfOperation(id: OperationId): Promise<void> {
    for (const row of this.rows.values()) if (row.operationId === id) this.rows.delete(row.id);
    await Promise.resolve();
  }

  async removeUnused(id: OperationId): Promise<void> {
    await this.removeOfOperation(id);
  }

  async removeLeft(): Promise<number> {
    return await Promise.resolve(0);
  }
}

function withoutSecret({ secret: _secret, ...row }: Credential & { readonly secret: string }): Credential {
  return row;
}
