import { readFileSync } from 'node:fs';
import { requireTool } from './tool.js';

const UNMOUNT_TIMEOUT_MS = 10_000;

/** A killed engine leaves its mounts; a directory with a mount in it cannot be removed. */
export async function unmountBelow(directory: string): Promise<void> {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  const below = mounts
    .filter((mount) => mount.startsWith(`${directory}/`))
    .toSorted((a, b) => b.length - a.length);
  for (const mount of below) await requireTool('umount', ['-l', mount], { timeoutMs: UNMOUNT_TIMEOUT_MS });
}
