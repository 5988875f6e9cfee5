import { createHash, timingSafeEqual } from 'node:crypto';
import { DomainError, tenantId } from '#domain';
import type { Principal } from './access.js';

export const ADMIN_SECRET_HEADER = 'x-admin-secret';
const ADMIN: Principal = Object.freeze({ tenantId: tenantId('default'), role: 'admin' });

/** Compares digests of equal length, so that the time says nothing about the secret. */
export class AdminSecret {
  private readonly digest: Buffer;

  constructor(secret: string) {
    this.digest = digestOf(secret);
  }

  /** Throws `unauthenticated`; a missing secret and a wrong one are told apart by nobody. */
  authenticate(given: unknown): Principal {
    const text = typeof given === 'string' ? given : '';
    if (!timingSafeEqual(digestOf(text), this.digest)) {
      throw new DomainError('unauthenticated', 'Send the admin secret in the header X-Admin-Secret.');
    }
    return ADMIN;
  }
}

function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
