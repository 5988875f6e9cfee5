import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { isDomainError } from '#domain';
import { limiterOf, tooMany } from '../rate/rate-limits.js';
import { FAILED_AUTHENTICATION_POLICY } from '../rate/rate-policies.js';

/** Addresses whose good credential is remembered; the oldest goes first. */
const KNOWN_MAX = 10_000;

/**
 * Stops guessing: after so many wrong credentials an address must wait, whatever it sends, so that a guess tells nothing
 * any more. A credential that has been right from this address before still is, so that a guesser behind the same
 * address does not lock out who works there.
 */
@Injectable()
export class FailedAuthentications {
  private readonly failures = limiterOf(FAILED_AUTHENTICATION_POLICY);
  private readonly known = new Set<string>();

  /** Runs `authenticate` unless the address has to wait. Throws what it throws, or `rate_limited`. */
  async guarded<Principal>(
    address: string,
    credential: unknown,
    authenticate: () => Principal,
  ): Promise<Principal> {
    const pair = pairOf(address, credential);
    if (!this.known.has(pair)) await this.refuseOneThatGuesses(address);
    try {
      const principal = authenticate();
      this.remember(pair);
      return principal;
    } catch (error) {
      const guessed = isDomainError(error, 'unauthenticated') && Boolean(credential);
      if (guessed) await this.failures.penalty(address);
      throw error;
    }
  }

  private async refuseOneThatGuesses(address: string): Promise<void> {
    const seen = await this.failures.get(address);
    if (seen && seen.consumedPoints >= FAILED_AUTHENTICATION_POLICY.requestsMax) {
      throw tooMany(seen.msBeforeNext);
    }
  }

  private remember(pair: string): void {
    if (this.known.has(pair)) return;
    const [oldest] = this.known;
    if (this.known.size >= KNOWN_MAX && oldest !== undefined) this.known.delete(oldest);
    this.known.add(pair);
  }
}

/** No credential is kept, only its digest. */
function pairOf(address: string, credential: unknown): string {
  const text = typeof credential === 'string' ? credential : '';
  return createHash('sha256').update(`${address}\n${text}`).digest('base64');
}
