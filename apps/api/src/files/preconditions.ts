import { DomainError, type FileRequest } from '#domain';

const TAG = /^\s*"([\x21\x23-\x7e]{1,100})"\s*$/;

/** One strong tag or `*`, as `If-Match` and `If-None-Match: *` have them; anything else is not guessed at. */
export function preconditionsOf(
  ifMatch: string | undefined,
  ifNoneMatch: string | undefined,
): Pick<FileRequest, 'ifMatch' | 'ifNone'> {
  if (ifNoneMatch !== undefined && ifNoneMatch.trim() !== '*') {
    throw new DomainError('bad_request', 'If-None-Match takes `*` alone.');
  }
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: tagIn(ifMatch) }),
    ...(ifNoneMatch === undefined ? {} : { ifNone: true }),
  };
}

function tagIn(header: string): string {
  if (header.trim() === '*') return '*';
  const tag = TAG.exec(header)?.[1];
  if (tag === undefined) throw new DomainError('bad_request', 'If-Match takes one ETag, or `*`.');
  return tag;
}
