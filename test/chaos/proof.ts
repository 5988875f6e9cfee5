import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { BULK_COLUMNS, type BulkChaosResult } from './bulk/result.js';
import { gitPhasesMet } from './git/phases.js';
import { GIT_COLUMNS, type GitResult } from './git/result.js';
import { lifecyclePhasesMet } from './lifecycle/phases.js';
import { LIFECYCLE_COLUMNS, type LifecycleResult } from './lifecycle/result.js';
import { sumPhases } from './phases.js';
import type { ChaosResult } from './result.js';
import type { SiegeResult } from './siege.js';
import type { Broken } from './broken.js';
import type { ViolationKind } from './violation.js';

const PROOF_FILE = 'docs/proof.md';
/** The columns that are counted, in the order of the table: what was done, then what must stay 0. */
const COUNTED_COLUMNS = 12;
const FIRST_COUNTED = 5;

/** A table of the page: how its head and its last row begin. */
interface Table {
  readonly head: string;
  readonly total: string;
  readonly countedColumns: number;
}

const EXEC_TABLE: Table = { head: '| date', total: '| **all**', countedColumns: COUNTED_COLUMNS };
const LIFECYCLE_TABLE: Table = {
  head: '| day',
  total: '| **lifecycle**',
  countedColumns: 5 + LIFECYCLE_COLUMNS.length,
};

const BULK_TABLE: Table = {
  head: '| bulk run',
  total: '| **bulk**',
  countedColumns: 6 + BULK_COLUMNS.length,
};
const GIT_TABLE: Table = { head: '| git run', total: '| **git**', countedColumns: 7 + GIT_COLUMNS.length };

/** Adds a run to the table of docs/proof.md and adds up its last row anew. */
export function publish(root: string, result: ChaosResult): void {
  change(root, (page, commit) => addRun(page, result, commit));
}

export function publishLifecycle(root: string, result: LifecycleResult): void {
  change(root, (page, commit) => addLifecycleRun(page, result, commit));
}

export function publishBulk(root: string, result: BulkChaosResult): void {
  change(root, (page, commit) => addBulkRun(page, result, commit));
}

export function publishGit(root: string, result: GitResult): void {
  change(root, (page, commit) => addGitRun(page, result, commit));
}

function change(root: string, work: (page: string, commit: string) => string): void {
  const path = join(root, PROOF_FILE);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: root,
    encoding: 'utf8',
  }).trim();
  writeFileSync(path, work(readFileSync(path, 'utf8'), commit));
}

/** The text of the page with one row more. Pure. */
export const addRun = (page: string, result: ChaosResult, commit: string): string =>
  addRow(page, EXEC_TABLE, rowOf(result, commit));

export const addLifecycleRun = (page: string, result: LifecycleResult, commit: string): string =>
  addRow(page, LIFECYCLE_TABLE, lifecycleRowOf(result, commit));

export const addBulkRun = (page: string, result: BulkChaosResult, commit: string): string =>
  addRow(page, BULK_TABLE, bulkRowOf(result, commit));
export const addGitRun = (page: string, result: GitResult, commit: string): string =>
  addRow(page, GIT_TABLE, gitRowOf(result, commit));

function addRow(page: string, { head, total, countedColumns }: Table, row: string): string {
  const lines = page.split('\n');
  const totalAt = lines.findIndex((line) => line.startsWith(total));
  if (totalAt < 0) throw new Error(`${PROOF_FILE} has no row that begins with ${total}.`);
  lines.splice(totalAt, 0, row);
  const headAt = lines.findIndex((line) => line.startsWith(head));
  const rows = lines.slice(headAt + 2, totalAt + 1).map(cellsOf);
  const sums = Array.from({ length: countedColumns }, (_, column) =>
    rows.reduce((sum, cells) => sum + Number(cells[FIRST_COUNTED + column] ?? 0), 0),
  );
  lines[totalAt + 1] = `${total} | | | | | ${sums.map((sum) => `**${Math.round(sum)}**`).join(' | ')} |`;
  return lines.join('\n');
}

function machineText(): string {
  return `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 1024 ** 3)} GiB`;
}

function lifecycleRowOf(result: LifecycleResult, commit: string): string {
  const phases = Object.values(lifecyclePhasesMet(result.injuries, result.operations));
  const done = [result.operations.length, result.parks];
  return siegeRowOf(result, { commit, phases, done, columns: LIFECYCLE_COLUMNS });
}

function bulkRowOf(result: BulkChaosResult, commit: string): string {
  const phases = Object.values(result.phases);
  const done = [result.bulks.length, result.items, result.controls];
  return siegeRowOf(result, { commit, phases, done, columns: BULK_COLUMNS });
}

interface SiegeRow {
  readonly commit: string;
  readonly phases: readonly number[];
  readonly done: readonly number[];
  readonly columns: readonly (readonly Broken['kind'][])[];
}

function siegeRowOf(result: SiegeResult, { commit, phases, done, columns }: SiegeRow): string {
  const cells = [
    result.startedAt.slice(0, 10),
    commit,
    result.seed,
    machineText(),
    phases.join(' · '),
    Math.round(result.minutes),
    result.injuries.length,
    result.sandboxes,
    ...done,
    ...columns.map((kinds) => result.broken.filter(({ kind }) => kinds.includes(kind)).length),
  ];
  return `| ${cells.join(' | ')} |`;
}

function gitRowOf(result: GitResult, commit: string): string {
  const { injuries, operations, pushes, broken } = result;
  const cells = [
    result.startedAt.slice(0, 10),
    commit,
    result.seed,
    machineText(),
    Object.values(gitPhasesMet(injuries, operations, pushes)).join(' · '),
    Math.round(result.minutes),
    injuries.length,
    result.projects,
    result.commits,
    pushes.length,
    operations.length,
    result.parks,
    ...GIT_COLUMNS.map((kinds) => broken.filter(({ kind }) => kinds.includes(kind)).length),
  ];
  return `| ${cells.join(' | ')} |`;
}

function rowOf(result: ChaosResult, commit: string): string {
  const of = (...kinds: ViolationKind[]): number =>
    result.violations.filter(({ kind }) => kinds.includes(kind)).length;
  const cells = [
    result.startedAt.slice(0, 10),
    commit,
    result.seed,
    machineText(),
    Object.values(sumPhases(result.phases)).join(' · '),
    Math.round(result.minutes),
    result.kills,
    result.execs,
    Math.round(result.bytesRead / 1024 ** 2),
    of('lost bytes', 'output', 'input'),
    of('doubled bytes'),
    of('second run'),
    of('exit code', 'wrong end', 'changed end'),
    of('no end'),
    of('forgotten'),
    of('leak'),
    of('refused', 'socket', 'recovery'),
  ];
  return `| ${cells.join(' | ')} |`;
}

const cellsOf = (row: string): string[] =>
  row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
