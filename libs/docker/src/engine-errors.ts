import { DomainError, type ErrorCode } from '#domain';

const RETRY_AFTER_SECONDS = 2;

/** No answer of the engine came in time. */
export class EngineDeadlineError extends Error {
  override readonly name = 'EngineDeadlineError';

  constructor(what: string, deadlineMs: number) {
    super(`The engine did not ${what} within ${deadlineMs} ms.`);
  }
}

/** What Docker answers while containerd is away or hangs, or while it is going down itself. containerd ends its own words with the kind of the error. */
const ENGINE_IS_DOWN =
  /transport is closing|connection refused|error while dialing|code = Unavailable|: unavailable\s*$|waiting for server handshake|shutting down|containerd\.sock|ttrpc: closed/i;
const DISK_IS_FULL = /no space left on device|disk quota exceeded/i;
const MESSAGE_LENGTH_MAX = 1_000;

/** Turns whatever a call to the engine threw into the error that the domain knows. */
export function translateEngineError(error: unknown, what: string): DomainError {
  if (error instanceof DomainError) return error;
  const status = statusOf(error);
  const detail = `To ${what}: ${textOf(error)}`;
  const code = codeOf(status, detail);
  if (code === 'dependency_unavailable') {
    return new DomainError(code, 'The Docker engine does not answer.', {
      cause: error,
      detail,
      dependency: 'docker',
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }
  const message =
    code === 'disk_pressure' ? 'The disk of the host is full.' : `The Docker engine could not ${what}.`;
  return new DomainError(code, message, { cause: error, detail });
}

function codeOf(status: number | undefined, detail: string): ErrorCode {
  if (DISK_IS_FULL.test(detail)) return 'disk_pressure';
  // Without an HTTP status nothing has answered: a socket that is not there, a reset, a deadline.
  if (status === undefined || status === 502 || status === 503) return 'dependency_unavailable';
  if (status === 404) return 'container_missing';
  if (status >= 500 && ENGINE_IS_DOWN.test(detail)) return 'dependency_unavailable';
  return 'container_failed';
}

/** The HTTP status of the engine's answer, if there was one, also through a DomainError that was made of it. */
export function statusOf(error: unknown): number | undefined {
  if (error instanceof DomainError) return statusOf(error.cause);
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

/** For operators, and bounded: an engine may quote what an image or a registry said. */
export function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message.trim() : 'an unknown error';
  const code = error instanceof Error && 'code' in error ? `${String(error.code)}: ` : '';
  return `${code}${text}`.slice(0, MESSAGE_LENGTH_MAX);
}
