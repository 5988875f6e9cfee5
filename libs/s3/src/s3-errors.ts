import { DomainError } from '#domain';

const RETRY_AFTER_SECONDS = 5;
const DETAIL_LENGTH_MAX = 1_000;
const CONTENT_DIFFERS = new Set([
  'BadDigest',
  'InvalidDigest',
  'XAmzContentSHA256Mismatch',
  'XAmzContentChecksumMismatch',
  'IncompleteBody',
]);
const STORAGE_IS_FULL = new Set(['XMinioStorageFull', 'QuotaExceeded', 'InsufficientStorage']);

/** No answer, or no further byte, came in time. */
export class StorageDeadlineError extends Error {
  override readonly name = 'StorageDeadlineError';
}

/** Turns whatever a call to the storage threw into the error that the domain knows. */
export function translateStorageError(error: unknown, what: string): DomainError {
  if (error instanceof DomainError) return error;
  const name = nameOf(error);
  const detail = `To ${what}: ${name}: ${messageOf(error)}`.slice(0, DETAIL_LENGTH_MAX);
  const options = { cause: error, detail };
  if (name === 'NoSuchKey') return new DomainError('not_found', 'There is no such object.', options);
  if (name === 'InvalidRange') {
    return new DomainError('range_not_satisfiable', 'The object ends before that.', options);
  }
  if (CONTENT_DIFFERS.has(name)) {
    return new DomainError('internal', 'The bytes are not the ones that were announced.', options);
  }
  if (STORAGE_IS_FULL.has(name)) {
    return new DomainError('disk_pressure', 'The object storage is full.', options);
  }
  return new DomainError('dependency_unavailable', 'The object storage does not answer.', {
    ...options,
    dependency: 's3',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

/** The storage's own word for what is wrong, or the system's for why it cannot be reached. */
export function nameOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'Unknown';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'name' in error && typeof error.name === 'string' ? error.name : 'Unknown';
}

export function httpStatusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  const metadata = error.$metadata as { httpStatusCode?: number } | undefined;
  return metadata?.httpStatusCode;
}

function messageOf(error: unknown): string {
  const hasMessage = typeof error === 'object' && error !== null && 'message' in error;
  return hasMessage && typeof error.message === 'string' ? error.message : 'an unknown error';
}
