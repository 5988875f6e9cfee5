import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Folders that hold nothing written by hand, wherever they stand. */
const SKIPPED = /^(node_modules|dist|coverage|\.git|\.berth.*)$/;

/** The project's root: unit tests run from it. */
export const ROOT = process.cwd();

/** Every file below `folder`, as a path from the root with forward slashes. */
export function filesBelow(folder: string): string[] {
  const entries = readdirSync(path.join(ROOT, folder), { withFileTypes: true });
  return entries.flatMap((entry) => {
    const at = folder === '.' ? entry.name : `${folder}/${entry.name}`;
    if (SKIPPED.test(entry.name)) return [];
    if (entry.isDirectory()) return filesBelow(at);
    return entry.isFile() ? [at] : [];
  });
}

export function textOf(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

export function jsonOf<T>(file: string): T {
  return JSON.parse(textOf(file)) as T;
}
