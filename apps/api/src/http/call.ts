import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { DomainError, limits } from '#domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '../auth/access.js';

/** What a service needs to know of the request: who asks, under which key, and whether somebody still listens. */
export interface Call {
  readonly principal: Principal;
  readonly requestId: string;
  readonly method: string;
  /** The route pattern, not the address: it is part of what an Idempotency-Key is unique for. */
  readonly route: string;
  readonly idempotencyKey: string | undefined;
  /** `If-Match: "N"`: the version that the caller has seen. */
  readonly ifVersion: number | undefined;
  /** `Prefer: wait=N`; a `wait` in the query comes before it. */
  readonly preferWaitSeconds: number;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

export const CurrentCall = createParamDecorator((_data: unknown, context: ExecutionContext): Call => {
  const http = context.switchToHttp();
  return callOf(http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
});

export function callOf(request: FastifyRequest, reply: FastifyReply): Call {
  if (request.principal === undefined) throw new TypeError('An anonymous route has no caller.');
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return {
    principal: request.principal,
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url ?? '',
    idempotencyKey: idempotencyKeyOf(request.headers['idempotency-key']),
    ifVersion: ifVersionOf(request.headers['if-match']),
    preferWaitSeconds: preferWaitOf(request.headers['prefer']),
    signal: gone.signal,
  };
}

const PRINTABLE = /^[\x21-\x7e]+$/;

function idempotencyKeyOf(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const key = String(header);
  if (key.length > limits.IDEMPOTENCY_KEY_LENGTH_MAX || !PRINTABLE.test(key)) {
    throw new DomainError(
      'bad_request',
      `An Idempotency-Key has 1 to ${limits.IDEMPOTENCY_KEY_LENGTH_MAX} printable ASCII characters without spaces.`,
      { extra: { header: 'Idempotency-Key' } },
    );
  }
  return key;
}

/** A tag that was never given matches nothing; `*` matches whatever is there. */
function ifVersionOf(header: string | undefined): number | undefined {
  if (header === undefined || header.trim() === '*') return undefined;
  return Number(/^\s*"(\d{1,9})"\s*$/.exec(header)?.[1] ?? '0');
}

/** A preference is a wish (RFC 7240): what is not understood is ignored, what is too long is shortened. */
function preferWaitOf(header: string | string[] | undefined): number {
  const seconds = /(?:^|[,;\s])wait=(\d{1,6})/.exec(String(header ?? ''))?.[1];
  return seconds === undefined ? 0 : Math.min(Number(seconds), limits.LONG_POLL_SECONDS_MAX);
}
