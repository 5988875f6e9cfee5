import { InvalidArgumentError } from 'commander';

/** Ctrl+], as telnet and the consoles of virtual machines have it. */
export const DETACH_KEY_DEFAULT = 'ctrl-]';

const KEYS = '@abcdefghijklmnopqrstuvwxyz[\\]^_';

/** The byte of `ctrl-x`, or none for `none`. */
export function detachByteOf(name: string): number | null {
  if (name === 'none') return null;
  const at = name.startsWith('ctrl-') && name.length === 6 ? KEYS.indexOf(name.slice(-1)) : -1;
  if (at < 0) throw new InvalidArgumentError('Give a key such as ctrl-], or none.');
  return at;
}
