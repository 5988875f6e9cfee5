import type { BulkItemsReport } from '../../test/bench/bulk-items.bench.js';
import type { ExecReport, Measured } from './exec.bench.js';
import type { RateReport } from './rate.bench.js';
import type { BulkReport } from './bulk.bench.js';
import type { FilesReport } from './files.bench.js';
import type { FleetReport } from './fleet.bench.js';
import type { GitReport } from './git.bench.js';
import type { IdleReport } from './idle.bench.js';
import type { IdleRowsReport } from './idle-rows.bench.js';
import type { LifecycleReport } from './lifecycle.bench.js';
import type { MemoryGrowth } from './memory-watch.js';
import type { ViewersReport } from './viewers.bench.js';
import type { NeighboursReport } from './neighbours.bench.js';
import type { OutputReport } from './output.bench.js';
import type { Machine } from './machine.js';
import { SEARCHED_EXECS, type SearchReport } from './search.bench.js';
import { ratioOf, type Summary } from './statistics.js';

export function textReport(machine: Machine, { raw, settings }: ExecReport): string {
  const always = settings.always;
  const after = settings['afterSeconds:1'];
  const rows = (['accepted', 'firstByte', 'exit'] as const).map(
    (kind) => `| ${KINDS[kind]} | ${cells(always[kind])} | ${cells(after[kind])} |`,
  );
  return [
    ...heading(machine, `${raw.count} of each, interleaved`),
    '',
    '| p50 / p95 ms, and p50 of raw | always | of raw | afterSeconds:1 | of raw |',
    '| --- | --- | --- | --- | --- |',
    `| raw dockerode exec true, to inspect | ${times(raw)} | 1 | | |`,
    ...rows,
  ].join('\n');
}

const KINDS = {
  accepted: 'POST to 202, durable',
  firstByte: 'POST to first byte at a WebSocket, echo x',
  exit: 'POST to exit seen by the client, true',
} as const;

export function rateReport(machine: Machine, { execs, raw, rawBest, settings }: RateReport): string {
  const row = (name: string, rate: number): string =>
    `| ${name} | ${rate.toFixed(1)} | ${(rate / rawBest).toFixed(2)} |`;
  return [
    ...heading(machine, `${execs} of each, one after the other`),
    '',
    '| execs a second in one sandbox, until the last run has closed | | of raw |',
    '| --- | --- | --- |',
    ...Object.entries(raw).map(([concurrency, rate]) => row(`raw dockerode, ${concurrency} at once`, rate)),
    ...Object.entries(settings).map(([setting, rate]) => row(setting, rate)),
  ].join('\n');
}

export function gitReport(machine: Machine, { raw, berth }: GitReport): string {
  return [
    ...heading(machine, `${raw.count} of each, interleaved`),
    '',
    '| commit and push of one file, p50 / p95 ms | | of raw |',
    '| --- | --- | --- |',
    `| docker exec git commit, docker exec git push | ${times(raw)} | 1 |`,
    `| commit-and-push, until the client has its result | ${times(berth)} | ${berth.ratioToRaw.toFixed(2)} |`,
  ].join('\n');
}

export function filesReport(machine: Machine, report: FilesReport): string {
  const rows = (['write', 'read', 'large'] as const).map((kind) => {
    const { raw, berth } = report[kind];
    return `| ${FILE_KINDS[kind]} | ${raw.count} | ${times(raw)} | ${times(berth)} | ${berth.ratioToRaw.toFixed(2)} |`;
  });
  return [
    ...heading(machine, 'archive API and Berth by turns'),
    '',
    '| p50 / p95 ms | n | archive API | Berth | of its time |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    `100 MiB are written at ${(1 / report.large.berth.ratioToRaw).toFixed(2)} × the rate of the archive API.`,
  ].join('\n');
}

const FILE_KINDS = {
  write: '1 KiB written, on the disk',
  read: '1 KiB read',
  large: '100 MiB written, on the disk',
} as const;

export function neighboursReport(machine: Machine, { quiet, bombed }: NeighboursReport): string {
  return [
    ...heading(machine, `${quiet.count} of each, by turns`),
    '',
    '| POST to exit seen by the client, `true` | p50 ms | p95 ms | p95 of quiet |',
    '| --- | --- | --- | --- |',
    `| next door nothing happens | ${quiet.p50} | ${quiet.p95} | 1 |`,
    `| next door a fork bomb goes off | ${bombed.p50} | ${bombed.p95} | ${(bombed.p95 / quiet.p95).toFixed(2)} |`,
  ].join('\n');
}

export function outputReport(machine: Machine, { rounds, growth }: OutputReport): string {
  const rows = (['lines', 'zeros'] as const).map((kind) => {
    const of = rounds.filter((round) => round.kind === kind);
    const raw = median(of.map((round) => round.rawRate));
    const berth = median(of.map((round) => round.berthRate));
    return `| 100 MiB of ${kind} | ${raw.toFixed(0)} | ${berth.toFixed(0)} | ${(berth / raw).toFixed(2)} |`;
  });
  return [
    ...heading(machine, `${rounds.length / 2} of each, interleaved`),
    '',
    '| | raw MiB/s | Berth MiB/s | of raw |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    memoryLine(growth),
  ].join('\n');
}

export function searchReport(machine: Machine, report: SearchReport): string {
  const rows = Object.entries(report).map(
    ([name, { p50, p95 }]) => `| ${name} | ${p50.toFixed(1)} | ${p95.toFixed(1)} |`,
  );
  const [any] = Object.values(report);
  return [
    ...heading(machine, `${any?.count ?? 0} of each, interleaved`),
    '',
    `| GET /v1/execs?q=… over ${SEARCHED_EXECS} execs, ms | p50 | p95 |`,
    '| --- | --- | --- |',
    ...rows,
  ].join('\n');
}

export function bulkReport(machine: Machine, { bytes, rate, growth }: BulkReport, what: string): string {
  return [
    ...heading(machine, `${bytes / 1_024 ** 3} GiB ${what}, SHA-256 checked`),
    '',
    `${rate.toFixed(0)} MiB/s. ${memoryLine(growth)}`,
  ].join('\n');
}

export function viewersReport(machine: Machine, { viewers, rounds, growth }: ViewersReport): string {
  const rate = median(rounds.map((round) => round.rate));
  const beside = median(rounds.map((round) => round.rateBesideStalled));
  return [
    ...heading(machine, `${rounds.length} of each, interleaved; the viewers run on the same machine`),
    '',
    `| ${viewers} viewers of one exec | MB/s in all |`,
    '| --- | --- |',
    `| all of them read | ${rate.toFixed(0)} |`,
    `| the same, beside one more that has stalled | ${beside.toFixed(0)} (${(beside / rate).toFixed(2)} of it) |`,
    '',
    memoryLine(growth),
  ].join('\n');
}

export function idleReport(machine: Machine, report: IdleReport): string {
  const { sandboxes, openRuns, controlMemory, runnerMemory, controlProcessor, runnerProcessor } = report;
  return [
    ...heading(machine, `${sandboxes} sandboxes in which nothing happens`),
    '',
    '| a sandbox | |',
    '| --- | --- |',
    `| memory in API and worker | ${controlMemory.toFixed(2)} MiB |`,
    `| memory of its runner | ${runnerMemory.toFixed(1)} MiB |`,
    `| processor in API and worker, a minute | ${controlProcessor.toFixed(0)} ms |`,
    `| processor of its runner, a minute | ${runnerProcessor.toFixed(0)} ms |`,
    `| open runs, of all sandboxes | ${openRuns.length === 0 ? 'none' : openRuns.join(', ')} |`,
  ].join('\n');
}

export function idleRowsReport(machine: Machine, { rows, before, withRows }: IdleRowsReport): string {
  const names = ['api', 'worker', 'postgres'] as const;
  const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
  const more = names.reduce((sum, name) => sum + withRows[name] - before[name], 0);
  return [
    ...heading(machine, `${rows} sandboxes that are down`),
    '',
    '| of one core | without them | with them |',
    '| --- | --- | --- |',
    ...names.map((name) => `| ${name} | ${percent(before[name])} | ${percent(withRows[name])} |`),
    `| more, of all three | | ${percent(more)} |`,
  ].join('\n');
}

export function lifecycleReport(machine: Machine, { create, restart, steps }: LifecycleReport): string {
  const row = (what: string, raw: Summary, berth: Summary): string =>
    `| ${what} | ${times(raw)} | ${times(berth)} | ${ratioOf(berth, raw).toFixed(2)} |`;
  return [
    ...heading(machine, `${create.raw.count} of each, interleaved`),
    '',
    '| p50 / p95 ms | raw | Berth | of raw |',
    '| --- | --- | --- | --- |',
    row('create and start, until it takes execs', create.raw, create.berth),
    row('restart, until it takes execs', restart.raw, restart.berth),
    '',
    '| where a restart goes | p50 ms |',
    '| --- | --- |',
    ...Object.entries(steps).map(([name, ms]) => `| ${name} | ${ms.toFixed(0)} |`),
  ].join('\n');
}

export function fleetReport(machine: Machine, { sandboxes, raw, berth }: FleetReport): string {
  const best = (rates: Readonly<Record<number, number>>): number => Math.max(...Object.values(rates));
  const rows = (name: string, rates: Readonly<Record<number, number>>): string[] =>
    Object.entries(rates).map(
      ([lanes, rate]) =>
        `| ${name}, ${lanes} at once | ${rate.toFixed(2)} | ${(rate / best(raw)).toFixed(2)} |`,
    );
  return [
    ...heading(machine, `${sandboxes} sandboxes`),
    '',
    '| restarts a second | | of the best raw |',
    '| --- | --- | --- |',
    ...rows('docker restart', raw),
    ...rows('bulk restart, with a result for each', berth),
  ].join('\n');
}

export function bulkItemsReport(machine: Machine, report: BulkItemsReport): string {
  const { items, concurrency, seconds, itemsPerSecond, historyEvents, heapMiBEarly, heapMiBEnd } = report;
  return [
    ...heading(machine, `a bulk restart of ${items} sandboxes in memory, ${concurrency} at once`),
    '',
    '| | |',
    '| --- | --- |',
    `| items a second | ${itemsPerSecond.toFixed(1)} (${seconds.toFixed(0)} s) |`,
    `| runs that continued each other | ${historyEvents.length} |`,
    `| events in the longest history | ${Math.max(...historyEvents)} |`,
    `| heap of both workers, a tenth done, all done | ${heapMiBEarly.toFixed(0)} MiB, ${heapMiBEnd.toFixed(0)} MiB |`,
    `| containers made twice | ${report.containersTooMany} |`,
  ].join('\n');
}

function memoryLine({ api, worker, runner, postgres }: MemoryGrowth): string {
  const mib = (value: number): string => `${value.toFixed(0)} MiB`;
  return `Resident memory grew by at most ${mib(api)} (API), ${mib(worker)} (worker), ${mib(runner)} (runner) and ${mib(postgres)} (Postgres, besides its shared buffers).`;
}

function heading(machine: Machine, what: string): string[] {
  return [
    `${machine.date}, ${machine.cores} cores (${machine.processor}), ${machine.memoryGib} GiB,`,
    `kernel ${machine.kernel}, Node ${machine.node}, Docker ${machine.docker}, load before ${machine.loadBefore}; ${what}`,
  ];
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

const times = ({ p50, p95 }: Summary): string => `${p50.toFixed(1)} / ${p95.toFixed(1)}`;

const cells = (measured: Measured): string => `${times(measured)} | ${measured.ratioToRaw.toFixed(2)}`;
