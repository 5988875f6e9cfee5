import { DomainError } from '../errors.js';
import * as limits from '../limits.js';

const WORKSPACE = '/workspace';
const NAME_BYTES_MAX = 255;
/** What is still encoded after the address was decoded is a name that is encoded twice, or no text at all. */
const ENCODED = /%[0-9a-f]{2}/i;
const HALF_CHARACTER = /\p{Surrogate}/u;
const FORBIDDEN = ['\0', '\\', '\uFFFD'];

/**
 * A path of the workspace, relative to it and in its one spelling; the workspace itself is empty. Whether links in it lead
 * out is known only inside the sandbox, and decided there.
 */
export function workspacePath(text: string): string {
  if (HALF_CHARACTER.test(text) || ENCODED.test(text) || FORBIDDEN.some((one) => text.includes(one))) {
    throw invalid('The path holds what no path of a workspace may hold.');
  }
  if (bytesOf(text) > limits.PATH_BYTES_MAX) throw invalid('The path is too long.');
  const parts = withinWorkspace(text)
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw invalid('The path may not climb.');
  if (parts.some((part) => bytesOf(part) > NAME_BYTES_MAX)) throw invalid('A name in the path is too long.');
  return parts.join('/');
}

function withinWorkspace(text: string): string {
  if (!text.startsWith('/')) return text;
  if (text === WORKSPACE || text.startsWith(`${WORKSPACE}/`)) return text.slice(WORKSPACE.length);
  throw invalid('An absolute path has to be inside the workspace.');
}

/** In UTF-8, which every character of a well-formed text is written in with one to four bytes. */
function bytesOf(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}

const invalid = (message: string): DomainError => new DomainError('path_invalid', message);
