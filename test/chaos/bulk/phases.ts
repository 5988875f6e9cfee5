import type { Injury } from '../injury.js';
import type { Look } from './wave.js';

/** Where in the life of a bulk operation a kill can fall, as it is seen from outside. */
export const BULK_PHASES = {
  B1: 'it is planned, and nothing has begun',
  B2: 'some have ended, and others have not begun',
  B3: 'one is under way',
  B4: 'all have ended, and it has not',
} as const;
export type BulkPhase = keyof typeof BULK_PHASES;

const ENDED = new Set(['succeeded', 'failed', 'canceled']);

/** How many injuries met a bulk operation in each phase. What was seen holds until the next look. */
export function bulkPhasesMet(
  injuries: readonly Injury[],
  waves: readonly (readonly Look[])[],
): Record<BulkPhase, number> {
  const met = { B1: 0, B2: 0, B3: 0, B4: 0 };
  for (const { atMs } of injuries) {
    const hit = new Set(waves.flatMap((looks) => phasesAt(looks, atMs)));
    for (const phase of hit) met[phase] += 1;
  }
  return met;
}

function phasesAt(looks: readonly Look[], atMs: number): BulkPhase[] {
  const next = looks.findIndex((look) => look.atMs > atMs);
  const look = looks[next - 1];
  const after = looks[next];
  if (look === undefined || after === undefined || ENDED.has(look.bulk.state)) return [];
  const { counts, total } = look.bulk;
  const pending = counts['pending'] ?? 0;
  const running = counts['running'] ?? 0;
  const phases: BulkPhase[] = [];
  if (pending === total) phases.push('B1');
  if (pending > 0 && pending + running < total) phases.push('B2');
  if (running > 0) phases.push('B3');
  // The end of the last item and of the whole are mostly written in one look of its run: the kill fell between two of ours.
  if (running > 0 && pending === 0 && ENDED.has(after.bulk.state)) phases.push('B4');
  return phases;
}
