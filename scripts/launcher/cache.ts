import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { hasCode } from './setup-problem.js';

const HASH_SUFFIX = '.sha256';

/** What was built or fetched once, kept per user: {cache}/{kind}/{key}/{file}, each file with its SHA-256 beside it. */
export class Cache {
  constructor(readonly root: string) {}

  static fromEnvironment(environment: NodeJS.ProcessEnv): Cache {
    return new Cache(resolve(environment['BERTH_CACHE'] ?? join(homedir(), '.cache/berth')));
  }

  directory(kind: string, key: string): string {
    return join(this.root, kind, key);
  }

  /** The directory of an entry whose files are all there and unchanged. A damaged entry is removed. */
  async find(kind: string, key: string, files: readonly string[]): Promise<string | undefined> {
    const directory = this.directory(kind, key);
    if (!existsSync(directory)) return undefined;
    for (const file of files) {
      const path = join(directory, file);
      const hashPath = path + HASH_SUFFIX;
      const isIntact =
        existsSync(path) &&
        existsSync(hashPath) &&
        readFileSync(hashPath, 'utf8').trim() === (await hashFile(path));
      if (isIntact) continue;
      rmSync(directory, { recursive: true, force: true });
      return undefined;
    }
    return directory;
  }

  /**
   * Lets `make` fill a directory aside and then puts it in place with one rename. Two clones that make the same entry at once
   * both do the work, and one of the results stays: nobody ever sees a part.
   */
  async create(
    kind: string,
    key: string,
    files: readonly string[],
    make: (directory: string) => Promise<void>,
  ): Promise<string> {
    mkdirSync(join(this.root, kind), { recursive: true });
    const aside = mkdtempSync(join(this.root, kind, '.new-'));
    try {
      await make(aside);
      for (const file of files)
        writeFileSync(join(aside, file + HASH_SUFFIX), `${await hashFile(join(aside, file))}\n`);
      putInPlace(aside, this.directory(kind, key));
    } finally {
      rmSync(aside, { recursive: true, force: true });
    }
    return this.directory(kind, key);
  }
}

export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 ** 2 }), hash);
  return hash.digest('hex');
}

function putInPlace(aside: string, target: string): void {
  try {
    renameSync(aside, target);
  } catch (error) {
    // Somebody else was first; both are the same by their key.
    if (!hasCode(error, 'ENOTEMPTY') && !hasCode(error, 'EEXIST')) throw error;
  }
}
