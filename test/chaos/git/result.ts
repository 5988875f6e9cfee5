import type { Broken } from '../broken.js';
import { describeInjury } from '../injury.js';
import type { SiegeResult } from '../siege.js';
import { countsOf } from '../lifecycle/result.js';
import { GIT_PHASES, gitPhasesMet, type GitOperation, type SeenPush } from './phases.js';

export interface GitResult extends SiegeResult {
  readonly operations: readonly GitOperation[];
  /** As the server has seen them come. */
  readonly pushes: readonly SeenPush[];
  readonly parks: number;
  readonly projects: number;
  readonly commits: number;
}

/** The columns that must stay 0, in the order of the table, each with what it counts. */
export const GIT_COLUMNS: readonly (readonly Broken['kind'][])[] = [
  ['lost commit'],
  ['doubled commit'],
  ['wrong commit', 'wrong order'],
  ['half clone', 'workspace'],
  ['secret'],
  ['leak', 'second container'],
  ['no end', 'no reason'],
  ['refused', 'recovery'],
];

export function gitText(result: GitResult): string {
  const { injuries, operations, pushes, broken } = result;
  const met = gitPhasesMet(injuries, operations, pushes);
  return [
    '',
    `Seed ${result.seed} · ${injuries.length} kills and stops in ${result.minutes.toFixed(1)} minutes · ${result.projects} repositories · ${result.commits} commits · ${pushes.length} pushes · ${operations.length} operations, ${result.parks} parks retried`,
    `  kills   ${countsOf(injuries.map(({ target, mode }) => `${mode} ${target}`))}`,
    `  ends    ${countsOf(operations.map(({ kind, state, result: came }) => `${kind} ${state} ${came?.outcome ?? ''}`))}`,
    ...Object.entries(GIT_PHASES).map(
      ([name, what]) =>
        `  ${String(met[name as keyof typeof met]).padStart(5)} kills while ${what} (${name})`,
    ),
    ...operations
      .filter(({ state }) => state === 'failed')
      .map(({ kind, failure }) => `  a ${kind} failed: ${failure?.code}: ${failure?.message}`),
    ...broken.flatMap(({ kind, detail }) => [`VIOLATION ${kind}: ${detail}`]),
    ...(broken.length === 0
      ? ['Nothing was violated.']
      : injuries.map((injury) => `    ${describeInjury(injury, Date.parse(result.startedAt))}`)),
  ].join('\n');
}
