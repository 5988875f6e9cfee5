import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';

/** Readers see the old content or the new one, never a part; after a power cut, too. */
export function writeFileAtomically(path: string, content: string, mode: number): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, 'w', mode);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}
