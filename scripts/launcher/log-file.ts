import { closeSync, copyFileSync, fstatSync, openSync, readSync, statSync, truncateSync } from 'node:fs';
import { hasCode } from './setup-problem.js';

const LOG_BYTES_MAX = 32 * 1024 ** 2;
const TAIL_BYTES_MAX = 64 * 1024;

/** Opened for appending, so that a component goes on writing after its supervisor is gone, and after the file was emptied. */
export function openLog(path: string): number {
  return openSync(path, 'a', 0o600);
}

/** Keeps one older part beside a log that has grown too large. */
export function rotateLog(path: string, bytesMax = LOG_BYTES_MAX): void {
  try {
    if (statSync(path).size <= bytesMax) return;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
}

export function tailOfLog(path: string, lines: number): string[] {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
  try {
    const size = fstatSync(file).size;
    const length = Math.min(size, TAIL_BYTES_MAX);
    const buffer = Buffer.alloc(length);
    const read = readSync(file, buffer, 0, length, size - length);
    return buffer.toString('utf8', 0, read).trimEnd().split('\n').slice(-lines);
  } finally {
    closeSync(file);
  }
}
