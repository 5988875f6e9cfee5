import { Injectable } from '@nestjs/common';
import { DomainError } from '#domain';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { RATE_POLICIES, type RatePolicy, type RatePolicyName } from './rate-policies.js';

/** What is left of a policy, as its client is told. */
export interface RateState {
  readonly policy: RatePolicyName;
  readonly remaining: number;
  readonly resetSeconds: number;
}

/** Counts requests in the memory of this process. With several API processes each has its own count. */
@Injectable()
export class RateLimits {
  private readonly limiters = new Map<RatePolicyName, RateLimiterMemory>();

  /** `key` names the caller and the route. Throws `rate_limited` with the seconds to wait. */
  async consume(policy: RatePolicyName, key: string): Promise<RateState> {
    const { remainingPoints, msBeforeNext } = await consumeOne(this.limiterOf(policy), key);
    return { policy, remaining: remainingPoints, resetSeconds: secondsOf(msBeforeNext) };
  }

  private limiterOf(policy: RatePolicyName): RateLimiterMemory {
    const known = this.limiters.get(policy);
    if (known) return known;
    const limiter = limiterOf(RATE_POLICIES[policy]);
    this.limiters.set(policy, limiter);
    return limiter;
  }
}

export function limiterOf({ requestsMax, windowSeconds }: RatePolicy): RateLimiterMemory {
  return new RateLimiterMemory({ points: requestsMax, duration: windowSeconds });
}

export async function consumeOne(limiter: RateLimiterMemory, key: string): Promise<RateLimiterRes> {
  try {
    return await limiter.consume(key);
  } catch (error) {
    if (error instanceof RateLimiterRes) throw tooMany(error.msBeforeNext);
    throw error;
  }
}

export function tooMany(waitMs: number): DomainError {
  return new DomainError('rate_limited', 'Too many requests. Wait as long as Retry-After says.', {
    retryAfterSeconds: secondsOf(waitMs),
  });
}

const secondsOf = (ms: number): number => Math.max(1, Math.ceil(ms / 1_000));
