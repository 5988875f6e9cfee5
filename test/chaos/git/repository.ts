import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gitOf } from '../../git/git-server.js';
import { textOf } from '../pause.js';
import type { ServerCommit } from './history.js';

/** The file of a project to which each change adds a line. */
export const JOURNAL = 'journal';
const FIELD = '\u001f';
const FORMAT = ['%H', '%s', '%(trailers:key=Berth-Operation,valueonly,separator=%x2C)'].join('%x1f');

/** A repository as this machine's git sees it, past Berth: on the server, or in the volume of a sandbox. */
export class Repository {
  constructor(readonly path: string) {}

  /** The oldest first. */
  history(): ServerCommit[] {
    return this.git('log', '--reverse', `--format=${FORMAT}`, 'main')
      .split('\n')
      .map((line) => {
        const [id = '', subject = '', operation = ''] = line.split(FIELD);
        return { id, subject, operationId: operation === '' ? undefined : operation };
      });
  }

  tip(revision = 'main'): string {
    return this.git('rev-parse', revision);
  }

  journal(): string {
    return this.git('show', `main:${JOURNAL}`);
  }

  /** What is not as git leaves it when it has done its work: objects, files, locks. */
  faults(): string[] {
    const faults: string[] = [];
    try {
      this.git('fsck', '--no-dangling', '--no-progress');
    } catch (error) {
      faults.push(`fsck: ${textOf(error)}`);
    }
    const locks = readdirSync(join(this.path, '.git'), { recursive: true, encoding: 'utf8' });
    return [...faults, ...locks.filter((name) => name.endsWith('.lock')).map((name) => `${name} was left`)];
  }

  /** What differs between its files and its last commit. */
  changes(): string {
    return this.git('status', '--porcelain');
  }

  private git(...parameters: string[]): string {
    // Its files are those of the user of the sandbox, and nothing that a repository says is run.
    return gitOf(this.path, '-c', 'safe.directory=*', '-c', 'core.hooksPath=/dev/null', ...parameters);
  }
}

/** What a clone that did not come about has left: in its place, and aside. */
export function restsOfClones(workspace: string): string[] {
  return existsSync(workspace)
    ? readdirSync(workspace).filter((name) => name.startsWith('.berth-clone-'))
    : [];
}

export const readJournal = (folder: string): string => readFileSync(join(folder, JOURNAL), 'utf8').trim();
