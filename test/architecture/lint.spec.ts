import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ROOT } from './project-files.js';

/** Lints one line of code as if it stood in `file`, with the project's own configuration. A rule that cannot fail guards nothing. */
const LINT_TIMEOUT_MS = 30_000;
/** The patterns in it are relative to where it stands, so the fixture gets a copy. */
const CONFIGURATION = [
  '.oxlintrc.json',
  'test/architecture/lint.plugin.mjs',
  'test/architecture/may-import.mjs',
];
let project: string;

beforeEach(() => {
  project = mkdtempSync(path.join(tmpdir(), 'berth-lint-'));
  for (const file of CONFIGURATION) cpSync(path.join(ROOT, file), path.join(project, file));
});

afterEach(() => {
  rmSync(project, { recursive: true, force: true });
});

function problemsIn(sources: Record<string, string>): string[] {
  for (const [file, text] of Object.entries(sources)) {
    mkdirSync(path.join(project, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(project, file), text);
  }
  for (const folder of ['apps', 'libs', 'scripts'])
    mkdirSync(path.join(project, folder), { recursive: true });
  const oxlint = path.join(ROOT, 'node_modules/.bin/oxlint');
  const run = spawnSync(oxlint, ['--format', 'json', 'apps', 'libs', 'scripts'], {
    cwd: project,
    encoding: 'utf8',
    timeout: LINT_TIMEOUT_MS,
  });
  if (run.error !== undefined) throw run.error;
  const report = JSON.parse(run.stdout) as {
    diagnostics: { message: string; code: string; filename: string }[];
  };
  return report.diagnostics.map((one) => `${one.filename} ${one.code}: ${one.message}`);
}

const REFUSED: readonly (readonly [string, string, string])[] = [
  ['libs/domain/src/a.ts', `export { readFileSync } from 'node:fs';`, 'libs/domain may not import node:fs'],
  ['libs/domain/src/b.ts', `export const at = Date.now();`, 'Date.now must come in as an argument'],
  ['libs/domain/src/c.ts', `export const at = new Date();`, 'the current time must come in as an argument'],
  ['libs/domain/src/d.ts', `export const one = Math.random();`, 'Math.random must come in as an argument'],
  ['libs/domain/src/e.ts', `setTimeout(() => undefined, 1);`, "Unexpected use of 'setTimeout'"],
  ['libs/domain/src/f.ts', `export const pid = process.pid;`, "Unexpected use of 'process'"],
  ['libs/workflows/src/a.ts', `export { create } from '#activities';`, 'write `import type`'],
  [
    'libs/workflows/src/b.ts',
    `export { Client } from '@temporalio/client';`,
    'put the effect into an Activity',
  ],
  ['libs/workflows/src/c.ts', `export { Store } from '#postgres';`, 'put the effect into an Activity'],
  ['libs/activities/src/a.ts', `export { Engine } from '#docker';`, 'An Activity works over ports'],
  ['libs/postgres/src/a.ts', `export { Engine } from '#docker';`, 'An adapter knows #domain'],
  ['libs/postgres/src/b.ts', `export { E } from '../../docker/src/e.js';`, 'by its door in package.json'],
  ['libs/docker/src/a.ts', `export const e = await import('pg');`, 'An adapter knows #domain'],
  ['libs/newcomer/src/a.ts', `import 'node:fs';`, 'No row in test/architecture/may-import.mjs'],
  ['apps/api/src/a.ts', `export { Engine } from '#docker';`, 'never holds the Docker socket'],
  ['apps/api/src/b.ts', `export const port = process.env['PORT'];`, 'Only config.ts of an app reads'],
  ['apps/cli/src/a.ts', `export { DomainError } from '#domain';`, 'write `import type`'],
  ['apps/cli/src/b.ts', `export { Store } from '#postgres';`, 'a client like any other'],
  ['scripts/a.ts', `export { boot } from '../apps/api/src/main.js';`, 'never loads its modules'],
  ['libs/s3/src/BadName.ts', `export const a = 1;`, 'kebab'],
  ['libs/s3/src/any.ts', `export const a: any = 1;`, 'any'],
  ['libs/s3/src/a.spec.ts', `test.only('a', () => {});`, 'focused'],
  ['libs/s3/src/silent.ts', `try { JSON.parse(''); } catch {}`, 'empty'],
];

const ALLOWED: Record<string, string> = {
  'libs/domain/src/a.ts': `export { b } from './b.js';\nexport const at = new Date('2020-01-01');`,
  'libs/workflows/src/a.ts': `import type { A } from '#activities';\nexport { limits } from '#domain';\nexport const a: A | 0 = 0;`,
  'libs/temporal/src/a.ts': `export { EXEC_WORKFLOW } from '#workflows/contract';`,
  'apps/cli/src/a.ts': `export type { Exec } from '#domain';`,
  'apps/api/src/config.ts': `export const port = process.env['PORT'];`,
  'libs/postgres/src/a.int-spec.ts': `import '#temporal';`,
  'scripts/a.ts': `import Docker from 'dockerode';\nexport const d = new Docker();`,
};

describe('the linter', () => {
  test(
    'refuses each arrow that the architecture forbids, and says what to do',
    () => {
      const problems = problemsIn(Object.fromEntries(REFUSED.map(([file, text]) => [file, `${text}\n`])));
      const unseen = REFUSED.filter(
        ([file, , message]) =>
          !problems.some((line) => line.startsWith(`${file} `) && line.includes(message)),
      );
      expect({ unseen, problems: unseen.length > 0 ? problems : [] }).toEqual({ unseen: [], problems: [] });
    },
    LINT_TIMEOUT_MS,
  );

  test(
    'accepts the arrows that it allows',
    () => {
      expect(problemsIn(ALLOWED)).toEqual([]);
    },
    LINT_TIMEOUT_MS,
  );
});
