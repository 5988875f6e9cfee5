import type { ExecReport, Measured } from './exec.bench.js';
import type { OutputReport } from './output.bench.js';
import type { Machine } from './machine.js';
import type { Summary } from './statistics.js';

export function textReport(machine: Machine, report: ExecReport): string {
  const rows = [
    row('raw dockerode exec true, to inspect', report.raw, '1'),
    row('POST to 202, durable', report.accepted, ratio(report.accepted)),
    row('POST to first byte at a WebSocket, echo x', report.firstByte, ratio(report.firstByte)),
    row('POST to exit seen by the client, true', report.exit, ratio(report.exit)),
  ];
  return [
    ...heading(machine, `${report.raw.count} of each, interleaved`),
    '',
    '| | p50 ms | p95 ms | of raw (p50) |',
    '| --- | --- | --- | --- |',
    ...rows,
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
    `Resident memory grew by at most ${growth.api.toFixed(0)} MiB (API) and ${growth.worker.toFixed(0)} MiB (worker).`,
  ].join('\n');
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

function row(name: string, summary: Summary, ofRaw: string): string {
  return `| ${name} | ${summary.p50.toFixed(1)} | ${summary.p95.toFixed(1)} | ${ofRaw} |`;
}

function ratio(measured: Measured): string {
  return measured.ratioToRaw.toFixed(2);
}
