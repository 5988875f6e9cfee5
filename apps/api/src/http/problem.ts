import { DomainError, type ErrorCode } from '#domain';
import { z } from 'zod';

export const PROBLEM_CONTENT_TYPE = 'application/problem+json; charset=utf-8';
const RETRY_AFTER_SECONDS_DEFAULT = 2;

/** The one table from code to HTTP status. A new code does not compile until it is here. */
export const STATUS_BY_CODE: Readonly<Record<ErrorCode, number>> = {
  bad_request: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  payload_too_large: 413,
  unsupported_media_type: 415,
  range_not_satisfiable: 416,
  rate_limited: 429,
  queue_full: 429,
  idempotency_key_reused: 422,
  operation_in_progress: 409,
  invalid_state: 409,
  precondition_failed: 412,
  sandbox_deleted: 410,
  output_expired: 410,
  position_invalid: 400,
  stdin_gap: 409,
  stdin_full: 429,
  stdin_closed: 409,
  writer_replaced: 409,
  dependency_unavailable: 503,
  runner_unreachable: 503,
  runner_protocol: 500,
  spool_corrupt: 500,
  image_missing: 409,
  container_missing: 409,
  workspace_missing: 409,
  archive_refused: 422,
  quota_exceeded: 409,
  generation_mismatch: 409,
  container_failed: 500,
  restarts_exhausted: 409,
  unhealthy: 409,
  host_lost: 503,
  disk_pressure: 507,
  path_invalid: 400,
  failure_budget_spent: 409,
  git_non_fast_forward: 409,
  git_remote_rejected: 422,
  git_auth_failed: 422,
  git_not_found: 422,
  git_network: 502,
  git_address_refused: 422,
  git_busy: 409,
  git_path_occupied: 409,
  git_no_repository: 409,
  git_invalid: 422,
  git_too_large: 422,
  git_disk_full: 507,
  git_timed_out: 504,
  git_failed: 422,
  internal: 500,
};

const TITLE_BY_CODE: Readonly<Record<ErrorCode, string>> = {
  bad_request: 'The request is not valid',
  unauthenticated: 'Authentication is required',
  forbidden: 'This is not allowed',
  not_found: 'Not found',
  method_not_allowed: 'The method is not allowed here',
  payload_too_large: 'The request is too large',
  unsupported_media_type: 'The content type is not supported',
  range_not_satisfiable: 'The range is beyond the end',
  rate_limited: 'Too many requests',
  queue_full: 'The queue is full',
  idempotency_key_reused: 'The Idempotency-Key belongs to another request',
  operation_in_progress: 'Another operation holds the sandbox',
  invalid_state: 'The state does not allow this',
  precondition_failed: 'Somebody has changed it since',
  sandbox_deleted: 'The sandbox has been deleted',
  output_expired: 'The output is not kept any more',
  position_invalid: 'The position is not valid',
  stdin_gap: 'The input does not continue where it is',
  stdin_full: 'The command does not read its input',
  stdin_closed: 'The input is closed',
  writer_replaced: 'Somebody else writes the input',
  dependency_unavailable: 'A dependency does not answer',
  runner_unreachable: 'The sandbox does not answer',
  runner_protocol: 'The sandbox gave an answer that is not understood',
  spool_corrupt: 'The stored output cannot be read',
  image_missing: 'The image is not available',
  container_missing: 'The container is not there',
  workspace_missing: 'The workspace is not there any more',
  archive_refused: 'The archive is not accepted',
  quota_exceeded: 'There are as many as may be',
  generation_mismatch: 'The container is of another generation',
  container_failed: 'The container failed',
  restarts_exhausted: 'The sandbox does not stay up',
  unhealthy: 'The sandbox is not well',
  host_lost: 'The host is lost',
  disk_pressure: 'The disk is full',
  path_invalid: 'The path is not one of the workspace',
  failure_budget_spent: 'Too many items have failed',
  git_non_fast_forward: 'The remote has commits that the sandbox has not',
  git_remote_rejected: 'The remote did not take the push',
  git_auth_failed: 'The remote refused the credential',
  git_not_found: 'The remote has no such repository',
  git_network: 'The remote was not reached',
  git_address_refused: 'The remote is at an address that is not allowed',
  git_busy: 'Another git works in the repository',
  git_path_occupied: 'There is something at the path already',
  git_no_repository: 'There is no repository at the path',
  git_invalid: 'Git cannot do this',
  git_too_large: 'The repository is too large',
  git_disk_full: 'The disk of the sandbox is full',
  git_timed_out: 'Git took too long',
  git_failed: 'Git failed',
  internal: 'Internal error',
};

/** RFC 9457, with the members of Berth: a stable code and the request id that the logs carry. */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    requestId: z.string(),
    pointer: z.string().optional(),
    errors: z.array(z.object({ pointer: z.string(), message: z.string() })).optional(),
    dependency: z.string().optional(),
  })
  .catchall(z.union([z.string(), z.number(), z.boolean(), z.null()]))
  .meta({ id: 'Problem', description: 'A problem (RFC 9457). Rely on `code`; texts may change.' });

export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>> & { readonly code: ErrorCode };
}

export interface InputIssue {
  readonly pointer: string;
  readonly message: string;
}

/** Bad input, with a pointer to each field that is wrong. */
export class InvalidInputError extends DomainError {
  constructor(
    message: string,
    readonly errors: readonly InputIssue[],
  ) {
    super('bad_request', message, { pointer: errors[0]?.pointer ?? '' });
  }
}

/** What is not a DomainError is a bug: it is logged by the caller and shown only as its request id. */
export function problemOf(error: unknown, requestId: string): ProblemAnswer {
  const known = error instanceof DomainError ? error : new DomainError('internal', 'An internal error.');
  const status = STATUS_BY_CODE[known.code];
  return {
    status,
    headers: headersOf(known, status),
    body: {
      ...known.extra,
      type: `urn:berth:problem:${known.code}`,
      title: TITLE_BY_CODE[known.code],
      status,
      code: known.code,
      detail: status === 500 ? 'An internal error. The logs hold more under the request id.' : known.message,
      requestId,
      ...(known.pointer === undefined ? {} : { pointer: known.pointer }),
      ...(error instanceof InvalidInputError ? { errors: [...error.errors] } : {}),
      ...(known.dependency === undefined ? {} : { dependency: known.dependency }),
    },
  };
}

function headersOf(error: DomainError, status: number): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': PROBLEM_CONTENT_TYPE };
  if (status === 503 || status === 429) {
    headers['retry-after'] = String(error.retryAfterSeconds ?? RETRY_AFTER_SECONDS_DEFAULT);
  }
  return headers;
}
