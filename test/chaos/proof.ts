import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { sumPhases } from './phases.js';
import type { ChaosResult } from './result.js';
import type { ViolationKind } from './violation.js';

const PROOF_FILE = 'docs/proof.md';
/** The columns that are counted, in the order of the table: what was done, then what must stay 0. */
const COUNTED_COLUMNS = 12;
const FIRST_COUNTED = 5;

/** Adds a run to the table of docs/proof.md and adds up its last row anew. */
export function publish(root: string, result: ChaosResult): void {
  const path = join(root, PROOF_FILE);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: root,
    encoding: 'utf8',
  }).trim();
  writeFileSync(path, addRun(readFileSync(path, 'utf8'), result, commit));
}

/** The text of the page with one row more. Pure. */
export function addRun(page: string, result: ChaosResult, commit: string): string {
  const lines = page.split('\n');
  const totalAt = lines.findIndex((line) => line.startsWith('| **all**'));
  if (totalAt < 0) throw new Error(`${PROOF_FILE} has no row that begins with | **all**.`);
  lines.splice(totalAt, 0, rowOf(result, commit));
  const headAt = lines.findIndex((line) => line.startsWith('| date'));
  const rows = lines.slice(headAt + 2, totalAt + 1).map(cellsOf);
  const sums = Array.from({ length: COUNTED_COLUMNS }, (_, column) =>
    rows.reduce((sum, cells) => sum + Number(cells[FIRST_COUNTED + column] ?? 0), 0),
  );
  lines[totalAt + 1] = `| **all** | | | | | ${sums.map((sum) => `**${Math.round(sum)}**`).join(' | ')} |`;
  return lines.join('\n');
}

function rowOf(result: ChaosResult, commit: string): string {
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 1024 ** 3)} GiB`;
  const of = (...kinds: ViolationKind[]): number =>
    result.violations.filter(({ kind }) => kinds.includes(kind)).length;
  const cells = [
    result.startedAt.slice(0, 10),
    commit,
    result.seed,
    machine,
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
