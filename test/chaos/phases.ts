import type { Flight } from './flight.js';
import type { Injury } from './injury.js';
import { hearTestimony, type SandboxDisk } from './witness.js';

/** Where in the life of an exec a kill can fall, as it is seen from outside. */
export const PHASES = {
  E1: 'sent, not acknowledged',
  E2: 'acknowledged, not started',
  E3: 'started, nothing written',
  E4: 'writing',
  E5: 'the program has ended, its end is not recorded',
  E6: 'ended, kept in the database',
} as const;
export type Phase = keyof typeof PHASES;

/** How long after its end an exec counts as E6: it is sealed some time after it, and nobody outside sees when. */
const SEALED_AFTER_MS = 15_000;

interface Span {
  readonly phase: Phase;
  readonly fromMs: number;
  readonly toMs: number;
}

export type PhaseCounts = Readonly<Record<Phase, number>>;

/** For each target how many of its injuries met an exec in each phase: the fault matrix, filled. */
export function phasesMet(
  injuries: readonly Injury[],
  flights: readonly Flight[],
  disks: ReadonlyMap<string, SandboxDisk>,
): Record<string, PhaseCounts> {
  const spans = flights.flatMap((flight) => spansOf(flight, disks.get(flight.sandboxId)));
  const met: Record<string, Record<Phase, number>> = {};
  for (const { target, mode, atMs } of injuries) {
    const row = (met[`${mode} ${target}`] ??= { E1: 0, E2: 0, E3: 0, E4: 0, E5: 0, E6: 0 });
    const phases = spans.filter(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs);
    for (const phase of new Set(phases.map((span) => span.phase))) row[phase] += 1;
  }
  return met;
}

/** The phases follow one another; what an exec never came to has no length. */
function spansOf(flight: Flight, disk: SandboxDisk | undefined): Span[] {
  const { askedAtMs, acceptedAtMs, end, endSeenAtMs, program } = flight;
  if (acceptedAtMs === undefined || disk === undefined) {
    return [{ phase: 'E1', fromMs: askedAtMs, toMs: acceptedAtMs ?? endSeenAtMs ?? Infinity }];
  }
  const { startedAtMs, wroteAtMs, endedAtMs } = hearTestimony(disk, program.key);
  const finishedAt = end?.finishedAt ?? undefined;
  const moments: readonly (readonly [Phase, number | undefined])[] = [
    ['E1', askedAtMs],
    ['E2', acceptedAtMs],
    ['E3', startedAtMs],
    ['E4', wroteAtMs],
    ['E5', endedAtMs],
    ['E6', finishedAt === undefined ? undefined : Date.parse(finishedAt)],
  ];
  const reached = moments.flatMap(([phase, atMs]) => (atMs === undefined ? [] : [{ phase, atMs }]));
  return reached.map(({ phase, atMs }, index) => ({
    phase,
    fromMs: atMs,
    toMs: reached[index + 1]?.atMs ?? atMs + SEALED_AFTER_MS,
  }));
}

/** Of all targets together. */
export function sumPhases(met: Readonly<Record<string, PhaseCounts>>): Record<string, number> {
  const names = Object.keys(PHASES) as Phase[];
  return Object.fromEntries(
    names.map((name) => [name, Object.values(met).reduce((sum, row) => sum + row[name], 0)]),
  );
}
