import type { OwnerId, TenantId } from '../ids.js';

export interface IdempotencyKey {
  readonly tenantId: TenantId;
  readonly ownerId: OwnerId;
  /** A UUID made of the key and the route. */
  readonly keyId: string;
  readonly requestHash: string;
  readonly resourceId: string;
}

/** Which request an Idempotency-Key was first used for, where what it asked for was there already and no row says so. */
export interface IdempotencyStore {
  /** False when the same request came before. Throws `idempotency_key_reused` when another did. */
  remember(key: IdempotencyKey): Promise<boolean>;
}
