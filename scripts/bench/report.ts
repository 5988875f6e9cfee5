import type { ExecReport, Measured } from './exec.bench.js';
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
    `${machine.date}, ${machine.cores} cores (${machine.processor}), ${machine.memoryGib} GiB,`,
    `kernel ${machine.kernel}, Node ${machine.node}, Docker ${machine.docker}, load before ${machine.loadBefore}; ${report.raw.count} of each, interleaved`,
    '',
    '| | p50 ms | p95 ms | of raw (p50) |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

function row(name: string, summary: Summary, ofRaw: string): string {
  return `| ${name} | ${summary.p50.toFixed(1)} | ${summary.p95.toFixed(1)} | ${ofRaw} |`;
}

function ratio(measured: Measured): string {
  return measured.ratioToRaw.toFixed(2);
}
