import type { Credential, CredentialId, NewCredential } from '../credential.js';
import type { OperationId, OwnerId, TenantId } from '../ids.js';
import type { Ensured, Page } from './stores.port.js';

/** What remotes know somebody by. A secret goes in here and comes out of `open` alone. */
export interface CredentialStore {
  /** The same id again is the same credential. Throws `rate_limited` over the limit of the owner. */
  create(credential: NewCredential): Promise<Ensured<Credential>>;
  /** Those that stay, without those of operations. Newest first. */
  list(
    tenantId: TenantId,
    query: { ownerId?: OwnerId; limit: number; cursor?: string },
  ): Promise<Page<Credential>>;
  find(tenantId: TenantId, id: CredentialId): Promise<Credential | undefined>;
  /** False when there was none. */
  remove(tenantId: TenantId, id: CredentialId): Promise<boolean>;
  /** With its secret, for the host that does something in its owner's sandbox; undefined where it is not this owner's. */
  open(
    tenantId: TenantId,
    ownerId: OwnerId,
    id: CredentialId,
  ): Promise<(Credential & { readonly secret: string }) | undefined>;
  removeOfOperation(id: OperationId): Promise<void>;
  /** The same, unless the operation came to be and has not ended: then it needs it. */
  removeUnused(id: OperationId): Promise<void>;
  /** Removes those of operations that have ended or never were. Returns how many. */
  removeLeft(olderThanMs: number, limit: number): Promise<number>;
}
