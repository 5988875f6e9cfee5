import { DomainError, ERROR_CODES } from '#domain';

/** A DomainError as it travels between two processes of Berth. Its detail and cause stay in the log of the sender. */
export function refusalOf(error: DomainError): object {
  const { code, message, dependency, retryAfterSeconds, extra } = error;
  return { code, message, dependency, retryAfterSeconds, extra };
}

/** Undefined for what is none. */
export function errorFrom(value: unknown): DomainError | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { code, message, retryAfterSeconds, dependency, extra } = value as Partial<DomainError>;
  const known = ERROR_CODES.find((one) => one === code);
  if (known === undefined || typeof message !== 'string') return undefined;
  return new DomainError(known, message, {
    ...(typeof retryAfterSeconds === 'number' ? { retryAfterSeconds } : {}),
    ...(typeof dependency === 'string' ? { dependency } : {}),
    ...(typeof extra === 'object' ? { extra } : {}),
  });
}
