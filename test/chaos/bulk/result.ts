import type { Broken } from '../broken.js';
import { describeInjury } from '../injury.js';
import { countsOf } from '../lifecycle/result.js';
import type { SiegeResult } from '../siege.js';
import { BULK_PHASES, type BulkPhase } from './phases.js';

export interface BulkChaosResult extends SiegeResult {
  readonly phases: Readonly<Record<BulkPhase, number>>;
  /** Each bulk operation with its last state. */
  readonly bulks: readonly { readonly action: string; readonly state: string }[];
  /** Items whose effect was counted. */
  readonly items: number;
  /** Those of them whose effect no kill can have added to. */
  readonly exactItems: number;
  /** How often one was paused, resumed, canceled or begun anew. */
  readonly controls: number;
}

/** The columns that must stay 0, in the order of the table, each with what it counts. */
export const BULK_COLUMNS: readonly (readonly Broken['kind'][])[] = [
  ['done twice'],
  ['forgotten'],
  ['no end', 'no reason'],
  ['counts'],
  ['second container', 'wrong state'],
  ['leak'],
  ['refused', 'recovery', 'workspace'],
];

export function bulkText(result: BulkChaosResult): string {
  const { injuries, bulks, broken, phases } = result;
  return [
    '',
    `Seed ${result.seed} · ${injuries.length} kills and stops in ${result.minutes.toFixed(1)} minutes · ${result.sandboxes} sandboxes · ${bulks.length} bulk operations, ${result.controls} controls, ${result.items} items compared, ${result.exactItems} of them exactly`,
    `  kills   ${countsOf(injuries.map(({ target, mode }) => `${mode} ${target}`))}`,
    `  ends    ${countsOf(bulks.map(({ action, state }) => `${action} ${state}`))}`,
    ...Object.entries(BULK_PHASES).map(
      ([name, what]) => `  ${String(phases[name as BulkPhase]).padStart(5)} kills while ${what} (${name})`,
    ),
    ...broken.map(({ kind, detail }) => `VIOLATION ${kind}: ${detail}`),
    ...(broken.length === 0
      ? ['Nothing was violated.']
      : injuries.map((injury) => `    ${describeInjury(injury, Date.parse(result.startedAt))}`)),
  ].join('\n');
}
