import type { Broken } from '../broken.js';
import { describeInjury } from '../injury.js';
import type { SiegeResult } from '../siege.js';
import { LIFECYCLE_PHASES, lifecyclePhasesMet } from './phases.js';
import type { SeenOperation } from './asker.js';

export interface LifecycleResult extends SiegeResult {
  readonly operations: readonly SeenOperation[];
  /** How often an operation parked and was decided. */
  readonly parks: number;
  /** Workspaces that were compared with what they had to be. */
  readonly workspaces: number;
}

/** The columns that must stay 0, in the order of the table, each with what it counts. */
export const LIFECYCLE_COLUMNS: readonly (readonly Broken['kind'][])[] = [
  ['second container'],
  ['leak'],
  ['no end', 'no reason'],
  ['wrong state'],
  ['workspace'],
  ['refused', 'recovery'],
];

export function lifecycleText(result: LifecycleResult): string {
  const { injuries, operations, broken } = result;
  const met = lifecyclePhasesMet(injuries, operations);
  return [
    '',
    `Seed ${result.seed} · ${injuries.length} kills and stops in ${result.minutes.toFixed(1)} minutes · ${result.sandboxes} sandboxes · ${operations.length} operations, ${result.parks} parks decided, ${result.workspaces} workspaces compared`,
    `  kills   ${countsOf(injuries.map(({ target, mode }) => `${mode} ${target}`))}`,
    `  ends    ${countsOf(operations.map(({ kind, state }) => `${kind} ${state}`))}`,
    ...Object.entries(LIFECYCLE_PHASES).map(
      ([name, what]) =>
        `  ${String(met[name as keyof typeof met]).padStart(5)} kills while ${what} (${name})`,
    ),
    ...operations
      .filter(({ state }) => state === 'failed' || state === 'canceled')
      .map(({ kind, state, failure }) => `  a ${kind} ${state}: ${failure?.code}: ${failure?.message}`),
    ...broken.flatMap(({ kind, detail }) => [`VIOLATION ${kind}: ${detail}`]),
    ...(broken.length === 0
      ? ['Nothing was violated.']
      : injuries.map((injury) => `    ${describeInjury(injury, Date.parse(result.startedAt))}`)),
  ].join('\n');
}

/** Each name with how often it is there. */
export function countsOf(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([name, count]) => `${name} ${count}`)
    .join(' · ');
}
