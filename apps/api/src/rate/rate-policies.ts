import { SetMetadata } from '@nestjs/common';

/** So many requests in a window, for one principal (one address where nobody is known) and one route. */
export interface RatePolicy {
  readonly requestsMax: number;
  readonly windowSeconds: number;
}

/**
 * How often a route may be called. Agents run many short commands and look at each, so the limits of execs and reads
 * are far above what one machine can do; they stop a client that has run wild, not one that works.
 */
export const RATE_POLICIES = {
  /** Creates an exec or tells one something. */
  exec: { requestsMax: 20_000, windowSeconds: 10 },
  /** Reads rows and output. */
  read: { requestsMax: 20_000, windowSeconds: 10 },
  /** Changes a sandbox or an operation. */
  write: { requestsMax: 1_200, windowSeconds: 60 },
  /** Answers anybody. */
  open: { requestsMax: 600, windowSeconds: 10 },
} as const satisfies Readonly<Record<string, RatePolicy>>;
export type RatePolicyName = keyof typeof RATE_POLICIES;

/** Wrong credentials from one address. Beyond them it must wait, whatever it sends. */
export const FAILED_AUTHENTICATION_POLICY: RatePolicy = { requestsMax: 200, windowSeconds: 60 };

export const RATE = 'berth:rate';
/** The policy of a route that does not say it; the tests want each route to say it. */
export const RATE_DEFAULT: RatePolicyName = 'write';
export const Rate = (policy: RatePolicyName) => SetMetadata(RATE, policy);
