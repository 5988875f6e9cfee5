/** `name` is what the engine pulls; `tag` is a tag or a digest. */
export interface ImageReference {
  readonly name: string;
  readonly tag: string;
  /** The first part is a host (`ghcr.io/…`, `localhost/…`, `registry:5000/…`), so it is clear who would be asked. */
  readonly namesRegistry: boolean;
}

const TAG_DEFAULT = 'latest';

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
