/** `name` is what the engine pulls; `tag` is a tag or a digest. */
export interface ImageReference {
  readonly name: string;
  readonly tag: string;
  /** The first part is a host (`ghcr.io/…`, `localhost/…`, `registry:5000/…`), so it is clear who would be asked. */
  readonly namesRegistry: boolean;
}

const TAG_DEFAULT = 'latest';
const REFERENCE_LENGTH_MAX = 512;
const HOST_OR_NAME = '[A-Za-z0-9]+(?:[._-]+[A-Za-z0-9]+)*(?::[0-9]+)?';
const PATH = '(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*';
const TAG = '(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?';
const DIGEST = '(?:@sha256:[0-9a-f]{64})?';
const REFERENCE = new RegExp(`^${HOST_OR_NAME}${PATH}${TAG}${DIGEST}$`);

/** Users write references, and they become part of a path of the engine's API: what is none never gets there. */
export function isImageReference(text: string): boolean {
  return text.length <= REFERENCE_LENGTH_MAX && REFERENCE.test(text);
}

export function parseImageReference(reference: string): ImageReference {
  const [head = ''] = reference.split('/');
  const namesRegistry = reference.includes('/') && (/[.:]/.test(head) || head === 'localhost');
  const digestAt = reference.indexOf('@');
  if (digestAt >= 0) {
    return { name: reference.slice(0, digestAt), tag: reference.slice(digestAt + 1), namesRegistry };
  }
  const tagAt = reference.indexOf(':', reference.lastIndexOf('/') + 1);
  if (tagAt < 0) return { name: reference, tag: TAG_DEFAULT, namesRegistry };
  return { name: reference.slice(0, tagAt), tag: reference.slice(tagAt + 1), namesRegistry };
}
