import { DomainError } from '#domain';

/** What the server said of a statement, and nothing of the statement: its values may be secrets, and a log writes all that an error bears. */
export class StatementError extends Error {
  override readonly name = 'StatementError';

  constructor(
    message: string,
    /** The SQLSTATE, or what the system says of the connection. */
    readonly code: string | undefined,
  ) {
    super(message);
  }
}

/** A deadlock or a serialisation failure: the server has undone all of it and asks for it again. */
export function isRolledBack(error: unknown): boolean {
  return isErrorLike(error) && (error.code === '40001' || error.code === '40P01');
}

/**
 * Connection exceptions, a server that may only be read, what was undone too often, insufficient resources, operator
 * intervention, failures of its system; and what pg says without a code.
 */
const AWAY_SQLSTATE = /^(08|25006|40|53|57P|58)/;
const AWAY_SYSTEM = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
const QUERY_CANCELED = '57014';
const DISK_IS_FULL = '53100';
const AWAY_MESSAGE = /terminat|timeout|not queryable|connection/i;

/** A `DomainError` where the database is away; a `StatementError` where it refused; anything else as it is. */
export function translateError(error: unknown): unknown {
  if (error instanceof DomainError || !isErrorLike(error)) return error;
  const { code, message } = error;
  const told = bearsValues(error) ? new StatementError(message, code) : error;
  const away =
    code === undefined
      ? AWAY_MESSAGE.test(message)
      : AWAY_SQLSTATE.test(code) || AWAY_SYSTEM.has(code) || code === QUERY_CANCELED;
  if (!away) return told;
  if (code === DISK_IS_FULL) {
    return new DomainError('disk_pressure', 'The disk of the database is full.', {
      cause: told,
      detail: message,
      dependency: 'postgres',
      retryAfterSeconds: 30,
    });
  }
  return new DomainError('dependency_unavailable', 'The database does not answer.', {
    cause: told,
    detail: message,
    dependency: 'postgres',
    retryAfterSeconds: 2,
  });
}

/** The errors of TypeORM bear the statement with its values, those of the driver the row that was refused. */
const bearsValues = (error: object): boolean => 'parameters' in error || 'severity' in error;

function isErrorLike(error: unknown): error is { message: string; code?: string } {
  return typeof error === 'object' && error !== null && 'message' in error;
}
