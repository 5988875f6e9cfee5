import * as limits from '../limits.js';
import type { CredentialId } from '../credential.js';

/** Who a commit is by. */
export interface GitAuthor {
  readonly name: string;
  readonly email: string;
}

/**
 * What the request of a git operation says, besides its kind. Which members a kind takes is refused or required where
 * it comes in. Never a secret: what a remote knows somebody by is a row of its own.
 */
export interface GitOptions {
  /** Absolute, of the working tree in the sandbox. */
  readonly path: string;
  readonly credentialId?: CredentialId;
  /** How long one try may take. */
  readonly timeoutSeconds?: number;
  readonly url?: string;
  /** A branch or a tag. */
  readonly ref?: string;
  readonly depth?: number;
  readonly message?: string;
  /** By default whom the repository's own configuration names. */
  readonly author?: GitAuthor;
  /** By default everything that has changed. */
  readonly paths?: readonly string[];
  /** By default the one that is checked out. */
  readonly branch?: string;
  readonly setUpstream?: boolean;
  /** `with-lease`: a commit of the remote may be replaced, if it is the one that was seen there last. */
  readonly force?: 'never' | 'with-lease';
  /** With a lease: the commit that may be replaced. */
  readonly expectedOld?: string;
  /** Of a pull request, whose text is the message and whose head is the branch. */
  readonly title?: string;
  readonly base?: string;
  /** Which kind of server it is; by default GitHub at github.com, and Gitea elsewhere. */
  readonly forge?: GitForge;
}

/** Forgejo speaks as Gitea does. */
export const GIT_FORGES = ['github', 'gitea'] as const;
export type GitForge = (typeof GIT_FORGES)[number];

const CONTROL_OR_SPACE = /[\s\p{Cc}]/u;
const CONTROL = /\p{Cc}/u;
const HOST =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const HTTPS_URL = /^https:\/\/([^/?#]*)(\/[^?#]*)$/;
/** As a protocol, or as git's short form `user@host:path`. */
const SSH_URL = /^(?:ssh|git\+ssh|ssh\+git):|^[^/:@]+@[^/:]+:/i;
const PORT_MAX = 65_535;
const NOT_IN_REFS = /[\s\p{Cc}~^:?*[\\]|\.\.|@\{|\/\/|\.lock(?:\/|$)|\/\.|\.\/|^[-./]|[./]$/u;
const COMMIT_ID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const REVISION = /^[A-Za-z0-9_][A-Za-z0-9_./@{}~^+-]*$/;

/**
 * Why this may not be the address of a remote; undefined where it may. Only https, to a host by its name or address,
 * with nobody's name in it: what looks like an option, another protocol or another host to some reader is none at all.
 */
export function refuseGitUrl(url: string): string | undefined {
  if (url.length > limits.GIT_URL_LENGTH_MAX) return 'is too long';
  if (CONTROL_OR_SPACE.test(url) || url.includes('\\')) return 'has a character that no address has';
  if (SSH_URL.test(url)) return 'is an address of ssh: take the https address, and a token as its credential';
  const [, authority = '', path = ''] = HTTPS_URL.exec(url) ?? [];
  if (authority === '') return 'must be an https address of a repository, without a query and a fragment';
  if (authority.includes('@')) return 'must not name a user: a credential does';
  if (gitHostOf(authority) === undefined) return 'names no host';
  if (path === '/' || path.includes('//') || /(?:^|\/)\.\.?(?:\/|$)/.test(path)) return 'names no repository';
  return undefined;
}

/** The host of an authority as credentials name it, in lower case and without the port of https; undefined for none. */
export function gitHostOf(authority: string): string | undefined {
  const [, name = '', port] = /^([^:[\]]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/.exec(authority) ?? [];
  if (!isHostName(name) && !name.startsWith('[')) return undefined;
  if (port !== undefined && (Number(port) === 0 || Number(port) > PORT_MAX)) return undefined;
  const host = name.toLowerCase();
  return port === undefined || port === '443' ? host : `${host}:${port}`;
}

/** A name, or an IPv4 address in its one form: some readers take `2130706433`, `0177.1` and `0x7f.1` for addresses, too. */
function isHostName(name: string): boolean {
  const last = name.slice(name.lastIndexOf('.') + 1);
  return HOST.test(name) && (!/^(?:\d+|0x.*)$/i.test(last) || IPV4.test(name));
}

/** The rules of `git check-ref-format --branch`, and no name that some command could take for an option. */
export function isGitName(name: string): boolean {
  return name !== '' && name.length <= limits.GIT_NAME_LENGTH_MAX && name !== '@' && !NOT_IN_REFS.test(name);
}

/** What may stand where git takes a commit: an id, or a name with what git lets follow it. */
export function isGitRevision(text: string): boolean {
  return text.length <= limits.GIT_NAME_LENGTH_MAX && REVISION.test(text) && !text.includes('..');
}

export const isCommitId = (text: string): boolean => COMMIT_ID.test(text);

/** A path inside a working tree as git takes it literally: relative, and not out of it again. */
export function isTreePath(path: string): boolean {
  if (path === '' || path.startsWith('/') || path.includes('\u0000')) return false;
  return path.length <= limits.PATH_BYTES_MAX && !path.split('/').includes('..');
}

/** Of a working tree: absolute and as short as it can be written. */
export function isWorkingTree(path: string): boolean {
  const [before, ...names] = path.split('/');
  const isPlain =
    names.length > 0 && names.every((name) => !['', '.', '..', '.git'].includes(name.toLowerCase()));
  return before === '' && isPlain && path.length <= limits.PATH_BYTES_MAX && !CONTROL.test(path);
}

/** A name or an address of a person, as a header of a commit takes it. */
export function isPersonText(text: string): boolean {
  return (
    text.trim() !== '' &&
    text.length <= limits.GIT_PERSON_LENGTH_MAX &&
    !CONTROL.test(text) &&
    !/[<>]/.test(text)
  );
}
