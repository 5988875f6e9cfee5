import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RATE, RATE_DEFAULT, RATE_POLICIES, type RatePolicyName } from './rate-policies.js';
import { RateLimits, type RateState } from './rate-limits.js';

/** Runs after the access guard, so that it knows who asks, and before any input is looked at. */
@Injectable()
export class RateGuard implements CanActivate {
  constructor(@Inject(RateLimits) private readonly limits: RateLimits) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const stated = Reflect.getMetadata(RATE, context.getHandler()) as RatePolicyName | undefined;
    const policy = stated ?? RATE_DEFAULT;
    const http = context.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    void reply.header('ratelimit-policy', policyText(policy));
    const state = await this.limits.consume(policy, keyOf(http.getRequest<FastifyRequest>()));
    void reply.header('ratelimit', stateText(state));
    return true;
  }
}

/** Each route has a budget of its own, so that a flood of reads does not hold up an exec. */
function keyOf({ principal, ip, method, routeOptions }: FastifyRequest): string {
  const caller = principal ? `principal ${principal.tenantId} ${principal.role}` : `address ${ip}`;
  return `${caller} ${method} ${routeOptions.url ?? ''}`;
}

/** The fields of the IETF draft "RateLimit header fields for HTTP". */
const policyText = (policy: RatePolicyName): string =>
  `"${policy}";q=${RATE_POLICIES[policy].requestsMax};w=${RATE_POLICIES[policy].windowSeconds}`;

const stateText = ({ policy, remaining, resetSeconds }: RateState): string =>
  `"${policy}";r=${remaining};t=${resetSeconds}`;
