import { DomainError, type FileRequest } from '#domain';

const TAG = /^\s*"([\x21\x23-\x7e]{1,100})"\s*$/;
const KNOWN_TAGS_MAX = 100;

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

/** Tags as `If-None-Match` of a GET has them: weak ones are as good as strong ones, and what is none is passed over. */
export function knownTagsIn(ifNoneMatch: string | undefined): string[] {
  if (ifNoneMatch === undefined) return [];
  if (ifNoneMatch.trim() === '*') return ['*'];
  const tags = ifNoneMatch.split(',').map((tag) => TAG.exec(tag.replace(/^\s*W\//, ''))?.[1]);
  return tags.filter((tag) => tag !== undefined).slice(0, KNOWN_TAGS_MAX);
}

/** Undefined for a part of no version in particular; a tag that is none matches nothing, so that the whole is sent. */
export const tagOfRange = (ifRange: string | undefined): string | undefined =>
  ifRange === undefined ? undefined : (TAG.exec(ifRange)?.[1] ?? 'none');

function tagIn(header: string): string {
  if (header.trim() === '*') return '*';
  const tag = TAG.exec(header)?.[1];
  if (tag === undefined) throw new DomainError('bad_request', 'If-Match takes one ETag, or `*`.');
  return tag;
}
