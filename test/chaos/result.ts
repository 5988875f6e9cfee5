import type { ReadTimes } from './api-watch.js';
import { describeInjury, injuriesBetween, type Injury } from './injury.js';
import type { Flight } from './flight.js';
import { judgeReads, type ReadVerdict } from './read-verdict.js';
import { PHASES, phasesMet, sumPhases, type Phase, type PhaseCounts } from './phases.js';
import { VIOLATION_KINDS, type Violation, type ViolationKind } from './violation.js';
import { hearTestimony, type SandboxDisk } from './witness.js';

const AROUND_MS = 5_000;
const PERCENTILES = [0.5, 0.95, 1] as const;

/** What a run has shown: everything that is printed, published, or given as JSON. */
export interface ChaosResult {
  readonly seed: string;
  readonly startedAt: string;
  readonly minutes: number;
  readonly kills: number;
  readonly injuries: readonly Injury[];
  readonly execs: number;
  readonly states: Readonly<Record<string, number>>;
  /** Why execs were not started, in Berth's words. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Where the output was that was read after the run. */
  readonly kept: Readonly<Record<string, number>>;
  readonly bytesRead: number;
  readonly socketConnections: number;
  /** For each kind of injury, how many met an exec in each of its phases. */
  readonly phases: Readonly<Record<string, PhaseCounts>>;
  /** From the end that the program noted to the end that a client saw, in milliseconds: p50, p95, longest. */
  readonly endSeenAfterMs: readonly number[];
  /** The same of reads of the API: before the first injury, in the 30 s after the end of each, and after the last. */
  readonly readMs: Readonly<Record<'before' | 'between' | 'after', readonly number[]>>;
  /** Whether reads were as quick again as before, more than 30 s after the last kill; asked for with --judge-reads. */
  readonly reads: ReadVerdict | undefined;
  readonly violations: readonly (Violation & { readonly evidence: readonly string[] })[];
}

export interface ResultFacts {
  readonly seed: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly injuries: readonly Injury[];
  readonly flights: readonly Flight[];
  readonly disks: ReadonlyMap<string, SandboxDisk>;
  readonly violations: readonly Violation[];
  readonly readTimes: ReadTimes;
  readonly judgesReads: boolean;
}

export function summarise(facts: ResultFacts): ChaosResult {
  const { flights, injuries, violations, seed, startedAtMs, endedAtMs } = facts;
  return {
    seed,
    startedAt: new Date(startedAtMs).toISOString(),
    minutes: (endedAtMs - startedAtMs) / 60_000,
    kills: injuries.length,
    injuries,
    execs: flights.length,
    states: countBy(
      flights.map(({ end, execId }) => end?.state ?? (execId === undefined ? 'refused' : 'no end')),
    ),
    refusals: countBy(
      flights.flatMap(({ end }) =>
        end?.state === 'not_started' ? [end.failure?.message ?? 'no reason'] : [],
      ),
    ),
    kept: countBy(flights.flatMap(({ keptIn }) => (keptIn === undefined ? [] : [keptIn]))),
    bytesRead: flights.reduce((sum, { readings }) => sum + readings.bytes, 0),
    socketConnections: flights.reduce((sum, { socket }) => sum + (socket?.connections ?? 0), 0),
    phases: phasesMet(injuries, flights, facts.disks),
    endSeenAfterMs: percentilesOf(delaysOf(facts)),
    readMs: {
      before: percentilesOf(facts.readTimes.before.api),
      between: percentilesOf(facts.readTimes.between.api),
      after: percentilesOf(facts.readTimes.after.api),
    },
    reads: facts.judgesReads ? judgeReads(facts.readTimes.before, facts.readTimes.later) : undefined,
    violations: violations.map((violation) => ({ ...violation, evidence: evidenceOf(violation, facts) })),
  };
}

/** The table of the end. Each violation of it stands below with what was killed around it. */
export function textResult(result: ChaosResult): string {
  const injured = countBy(result.injuries.map(({ target, mode }) => `${mode} ${target}`));
  const rows = (Object.keys(VIOLATION_KINDS) as ViolationKind[]).map((kind) => [
    kind,
    String(result.violations.filter((violation) => violation.kind === kind).length),
    VIOLATION_KINDS[kind],
  ]);
  const [half, most, longest] = result.endSeenAfterMs.map((ms) => `${(ms / 1_000).toFixed(2)} s`);
  return [
    '',
    `Seed ${result.seed} · ${result.kills} kills and stops in ${result.minutes.toFixed(1)} minutes · ${result.execs} execs`,
    `  kills    ${describeCounts(injured)}`,
    ...phaseTable(result.phases),
    `  ends     ${describeCounts(result.states)}`,
    ...Object.entries(result.refusals).map(([reason, count]) => `  not started ${count}: ${reason}`),
    `  read     ${(result.bytesRead / 1024 ** 2).toFixed(0)} MiB compared, ${result.socketConnections} socket connections`,
    `  kept     ${describeCounts(result.kept)}, read again after the run`,
    `  an end is seen after the program's own: p50 ${half}, p95 ${most}, longest ${longest}`,
    `  a read of the API, p95: ${readText(result.readMs)}`,
    ...(result.reads === undefined ? [] : [`  reads are ${verdictText(result.reads)}`]),
    '',
    ...rows.map(
      ([kind = '', count = '', meaning = '']) => `  ${kind.padEnd(15)}${count.padStart(5)}   ${meaning}`,
    ),
    '',
    ...result.violations.flatMap((violation) => ['', ...describeViolation(violation)]),
    result.violations.length === 0
      ? 'Nothing was violated.'
      : `${result.violations.length} violations. Again: npm run chaos -- exec --kills ${result.kills} --seed ${result.seed}`,
  ].join('\n');
}

function readText({ before, between, after }: ChaosResult['readMs']): string {
  const [quiet, hurt, healed] = [before, between, after].map(([, most = 0]) =>
    most === 0 ? 'none' : `${most.toFixed(0)} ms`,
  );
  return `${quiet} before the first, ${hurt} in the 30 s after each while others go on, ${healed} in the 30 s after the last`;
}

function verdictText({ verdict, api, machine }: ReadVerdict): string {
  const ratios = `${api.toFixed(2)} of the p95 before the first kill, the machine itself ${machine.toFixed(2)}`;
  return `${verdict === 'not told' ? 'not judged' : verdict} more than 30 s after the last: ${ratios}`;
}

/** Which phases of an exec the injuries of each kind have met. */
function phaseTable(met: ChaosResult['phases']): string[] {
  const names = Object.keys(PHASES) as Phase[];
  const rows = Object.entries(met).toSorted(([a], [b]) => a.localeCompare(b));
  const line = (name: string, counts: readonly (number | string)[]): string =>
    `  ${name.padEnd(22)}${counts.map((count) => String(count).padStart(6)).join('')}`;
  return [
    line('met an exec in phase', names),
    ...rows.map(([name, counts]) =>
      line(
        name,
        names.map((phase) => counts[phase]),
      ),
    ),
    line('all', Object.values(sumPhases(met))),
    ...names.map((name) => `  ${name} ${PHASES[name]}`),
  ];
}

function describeViolation({
  kind,
  key,
  execId,
  detail,
  evidence,
}: ChaosResult['violations'][number]): string[] {
  const whose = execId === undefined ? '' : ` ${execId} (${key ?? ''})`;
  return [`VIOLATION ${kind}${whose}: ${detail}`, ...evidence.map((line) => `    ${line}`)];
}

function evidenceOf({ key }: Violation, facts: ResultFacts): string[] {
  const flight = facts.flights.find(({ program }) => program.key === key);
  if (flight === undefined) return [];
  const { program, askedAtMs, endSeenAtMs, end } = flight;
  const since = (ms: number): string => `${((ms - facts.startedAtMs) / 1_000).toFixed(2)} s`;
  const disk = facts.disks.get(flight.sandboxId);
  const around = injuriesBetween(facts.injuries, askedAtMs, (endSeenAtMs ?? facts.endedAtMs) + AROUND_MS);
  return [
    `program ${JSON.stringify(program)}`,
    `asked at ${since(askedAtMs)}, end seen at ${endSeenAtMs === undefined ? 'never' : since(endSeenAtMs)}, in sandbox ${flight.sandboxId}`,
    `noted ${disk === undefined || key === undefined ? 'nothing' : testimonyText(disk, key)}`,
    `answered ${JSON.stringify(end === undefined ? null : { ...end, argv: undefined, links: undefined })}`,
    ...around.map((injury) => describeInjury(injury, facts.startedAtMs)),
  ];
}

function testimonyText(disk: SandboxDisk, key: string): string {
  const { stdin, ...noted } = hearTestimony(disk, key);
  return JSON.stringify({ ...noted, stdinBytes: stdin.length });
}

function delaysOf({ flights, disks }: ResultFacts): number[] {
  return flights.flatMap(({ endSeenAtMs, sandboxId, program }) => {
    const disk = disks.get(sandboxId);
    if (endSeenAtMs === undefined || disk === undefined) return [];
    const { endedAtMs } = hearTestimony(disk, program.key);
    return endedAtMs === undefined ? [] : [Math.max(0, endSeenAtMs - endedAtMs)];
  });
}

function percentilesOf(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return PERCENTILES.map(
    (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0,
  );
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

const describeCounts = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([name, count]) => `${name} ${count}`)
    .join(' · ');
