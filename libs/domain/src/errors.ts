/** The one list of error codes. Clients may rely on a code for ever; messages may change. */
export const ERROR_CODES = [
  'bad_request',
  'unauthenticated',
  'forbidden',
  'not_found',
  'method_not_allowed',
  'payload_too_large',
  'unsupported_media_type',
  'range_not_satisfiable',
  'rate_limited',
  'queue_full',
  'idempotency_key_reused',
  'operation_in_progress',
  'invalid_state',
  'precondition_failed',
  'sandbox_deleted',
  'output_expired',
  'position_invalid',
  'stdin_gap',
  'stdin_full',
  'stdin_closed',
  'writer_replaced',
  'dependency_unavailable',
  'runner_unreachable',
  'runner_protocol',
  'spool_corrupt',
  'image_missing',
  'container_missing',
  'workspace_missing',
  'archive_refused',
  'quota_exceeded',
  'generation_mismatch',
  'container_failed',
  'restarts_exhausted',
  'unhealthy',
  'host_lost',
  'disk_pressure',
  'path_invalid',
  'failure_budget_spent',
  'git_non_fast_forward',
  'git_remote_rejected',
  'git_auth_failed',
  'git_not_found',
  'git_network',
  'git_address_refused',
  'git_busy',
  'git_path_occupied',
  'git_no_repository',
  'git_invalid',
  'git_too_large',
  'git_disk_full',
  'git_timed_out',
  'git_failed',
  'internal',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** Codes whose cause is expected to pass by itself: the same call may be sent again unchanged. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'dependency_unavailable',
  'runner_unreachable',
  'rate_limited',
  'queue_full',
  'stdin_full',
  'disk_pressure',
  'git_network',
  'git_busy',
]);

export type Dependency = 'postgres' | 'temporal' | 'docker' | 's3' | 'host';

export interface DomainErrorOptions {
  readonly cause?: unknown;
  /** For operators: what happened, in words that may name internals. Never shown to users. */
  readonly detail?: string;
  /** JSON pointer into the request body, for bad input. */
  readonly pointer?: string;
  readonly dependency?: Dependency;
  readonly retryAfterSeconds?: number;
  /** Further data of the problem, JSON-safe and free of secrets, for example the id of the operation that holds a sandbox. */
  readonly extra?: Readonly<Record<string, string | number | boolean | null>>;
}

/** An expected failure. Bugs are assertions (TypeError and friends), never a DomainError. */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly pointer: string | undefined;
  readonly dependency: Dependency | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly extra: DomainErrorOptions['extra'];

  constructor(code: ErrorCode, message: string, options: DomainErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.detail = options.detail;
    this.pointer = options.pointer;
    this.dependency = options.dependency;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.extra = options.extra;
  }

  get transient(): boolean {
    return TRANSIENT.has(this.code);
  }
}

export function isDomainError(error: unknown, code?: ErrorCode): error is DomainError {
  return error instanceof DomainError && (code === undefined || error.code === code);
}

/** True where a dependency does not answer or has no room left. Both pass; until then nothing that needs it can go on. */
export function isAway(error: unknown, dependency?: Dependency): error is DomainError {
  if (!(error instanceof DomainError)) return false;
  if (dependency !== undefined && error.dependency !== dependency) return false;
  return (
    error.code === 'dependency_unavailable' ||
    (error.code === 'disk_pressure' && error.dependency !== undefined)
  );
}

/** Why the runner could not start a command. */
export type StartFailureCode =
  | 'command_not_found'
  | 'command_not_executable'
  | 'argument_list_too_long'
  | 'working_directory_invalid'
  | 'user_invalid';

/** What is written on a row and shown to users about a failure. */
export interface Failure {
  readonly code: ErrorCode | StartFailureCode;
  readonly message: string;
}

export function failureFrom(error: unknown): Failure {
  if (error instanceof DomainError) return { code: error.code, message: error.message };
  return { code: 'internal', message: 'An internal error.' };
}
