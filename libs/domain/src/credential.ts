import type { CredentialId, OperationId, OwnerId, TenantId } from './ids.js';

export type { CredentialId } from './ids.js';

/** What one remote host knows somebody by. Its secret is kept sealed, and only the host that needs it opens it. */
export interface Credential {
  readonly id: CredentialId;
  readonly tenantId: TenantId;
  readonly ownerId: OwnerId;
  /** In lower case, with its port where that is not the one of https. */
  readonly host: string;
  readonly username: string;
  /** Set for one that came with the request of an operation, and goes with it. */
  readonly operationId: OperationId | null;
  readonly createdAt: string;
}

export type NewCredential = Omit<Credential, 'createdAt'> & { readonly secret: string };
