import { DomainError, type IdempotencyKey, type IdempotencyStore } from '#domain';

export class MemoryKeys implements IdempotencyStore {
  private readonly hashes = new Map<string, string>();

  async remember({ tenantId, keyId, requestHash }: IdempotencyKey): Promise<boolean> {
    const id = `${tenantId} ${keyId}`;
    const before = await Promise.resolve(this.hashes.get(id));
    if (before === undefined) this.hashes.set(id, requestHash);
    else if (before !== requestHash) {
      throw new DomainError('idempotency_key_reused', 'This Idempotency-Key was used for another request.');
    }
    return before === undefined;
  }
}
