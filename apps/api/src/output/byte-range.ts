import { DomainError } from '#domain';

/** Bytes `from` to `to`, exclusive. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

const SINGLE_RANGE = /^bytes=(\d{0,15})-(\d{0,15})$/;

/**
 * A single range of RFC 9110. Undefined where the header is missing or is none that is served here: then the whole is
 * the answer, as the RFC wants it. A range that begins beyond the end throws `range_not_satisfiable`.
 */
export function rangeOf(header: string | undefined, totalBytes: number): ByteRange | undefined {
  const [, first = '', last = ''] = SINGLE_RANGE.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') return suffixOf(Number(last), totalBytes);
  const from = Number(first);
  const to = last === '' ? totalBytes : Math.min(Number(last) + 1, totalBytes);
  if (last !== '' && Number(last) < from) return undefined;
  if (from >= totalBytes) throw beyondTheEnd(totalBytes);
  return { from, to };
}

function suffixOf(bytes: number, totalBytes: number): ByteRange {
  if (bytes === 0 || totalBytes === 0) throw beyondTheEnd(totalBytes);
  return { from: Math.max(0, totalBytes - bytes), to: totalBytes };
}

export function beyondTheEnd(totalBytes: number): DomainError {
  return new DomainError('range_not_satisfiable', `The stream has ${totalBytes} bytes so far.`, {
    extra: { totalBytes },
  });
}
