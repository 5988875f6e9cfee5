import { DomainError } from '#domain';

/** Bytes `from` to `to`, exclusive. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/** From `first` on, or the `last` bytes where it is null; up to `last`, or to the end where that is null. */
export interface WantedRange {
  readonly first: number | null;
  readonly last: number | null;
}

const SINGLE_RANGE = /^bytes=(\d{0,15})-(\d{0,15})$/;

/**
 * A single range of RFC 9110. Undefined where the header is missing or is none that is served here: then the whole is
 * the answer, as the RFC wants it. A range that begins beyond the end throws `range_not_satisfiable`.
 */
export function rangeOf(header: string | undefined, totalBytes: number): ByteRange | undefined {
  const wanted = wantedRangeOf(header);
  return wanted && partOf(wanted, totalBytes);
}

/** What a header asks for before anybody knows how much there is. Undefined as above. */
export function wantedRangeOf(header: string | undefined): WantedRange | undefined {
  const [, first = '', last = ''] = SINGLE_RANGE.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  return { first: numberIn(first), last: numberIn(last) };
}

export function partOf({ first, last }: WantedRange, totalBytes: number): ByteRange {
  if (first === null) return suffixOf(last ?? 0, totalBytes);
  if (first >= totalBytes) throw beyondTheEnd(totalBytes);
  return { from: first, to: last === null ? totalBytes : Math.min(last + 1, totalBytes) };
}

const numberIn = (digits: string): number | null => (digits === '' ? null : Number(digits));

function suffixOf(bytes: number, totalBytes: number): ByteRange {
  if (bytes === 0 || totalBytes === 0) throw beyondTheEnd(totalBytes);
  return { from: Math.max(0, totalBytes - bytes), to: totalBytes };
}

export function beyondTheEnd(totalBytes: number): DomainError {
  return new DomainError('range_not_satisfiable', `The stream has ${totalBytes} bytes so far.`, {
    extra: { totalBytes },
  });
}
