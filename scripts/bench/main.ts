/**
 * Benchmarks against a running installation. They are clients like any other: they use the public API, and Docker's own for comparison, and must never look into the database or the Workflows to be
 * faster.
 */
import { parseArgs } from 'node:util';
import { benchExec } from './exec.bench.js';
import { describeMachine } from './machine.js';
import { benchOutput } from './output.bench.js';
import { benchRate } from './rate.bench.js';
import { outputReport, rateReport, searchReport, textReport } from './report.js';
import { readRunningInstance } from './running-instance.js';
import { benchSearch } from './search.bench.js';

const ROUNDS_DEFAULT = 100;
const OUTPUT_ROUNDS_DEFAULT = 5;
const ROUNDS_MAX = 100_000;
const PROGRESS_EVERY = 25;
const KINDS: ReadonlySet<string> = new Set(['exec', 'rate', 'output', 'search']);

const USAGE = `Measures a running installation of Berth, interleaved with raw Docker.

Usage: npm run bench -- exec | rate | output | search [options]

  exec             short commands: accepted, first byte, exit, with a Workflow each and without
  rate             short commands a second in one sandbox, the same two ways
  output           100 MiB of lines and of zeros to one WebSocket client, and the memory that it takes
  search           words in the commands and outputs of 10,000 execs

  --n COUNT        measurements of each kind after the warm-up (default ${ROUNDS_DEFAULT}; output ${OUTPUT_ROUNDS_DEFAULT})
  --json           everything as JSON on stdout
  --state-dir DIR  the state folder of the installation (default .berth, or BERTH_STATE_DIR)
  --help           this text
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      n: { type: 'string' },
      json: { type: 'boolean', default: false },
      'state-dir': { type: 'string', default: process.env['BERTH_STATE_DIR'] ?? '.berth' },
      help: { type: 'boolean', default: false },
    },
  });
  const [kind, ...surplus] = positionals;
  const rounds = Number(values.n ?? (kind === 'output' ? OUTPUT_ROUNDS_DEFAULT : ROUNDS_DEFAULT));
  const valid = surplus.length === 0 && KINDS.has(kind ?? '');
  if (values.help || !valid || !Number.isInteger(rounds) || rounds < 1 || rounds > ROUNDS_MAX) {
    (values.help ? process.stdout : process.stderr).write(USAGE);
    return values.help ? 0 : 2;
  }
  const instance = readRunningInstance(values['state-dir']);
  const machine = await describeMachine(instance);
  if (kind === 'output') {
    const report = await benchOutput(instance, rounds, ({ kind: of, rawRate, berthRate }) => {
      process.stderr.write(`${of}: raw ${rawRate.toFixed(0)} MiB/s, Berth ${berthRate.toFixed(0)} MiB/s\n`);
    });
    print(values.json, { machine, report }, () => outputReport(machine, report));
    return 0;
  }
  if (kind === 'rate') {
    const report = await benchRate(instance, rounds);
    print(values.json, { machine, report }, () => rateReport(machine, report));
    return 0;
  }
  if (kind === 'search') {
    const report = await benchSearch(instance, rounds);
    print(values.json, { machine, report }, () => searchReport(machine, report));
    return 0;
  }
  const report = await benchExec(instance, rounds, (done, of) => {
    if (done % PROGRESS_EVERY === 0 || done === of) process.stderr.write(`${done} of ${of}\n`);
  });
  print(values.json, { machine, report }, () => textReport(machine, report));
  return 0;
}

function print(json: boolean, data: unknown, text: () => string): void {
  process.stdout.write(`${json ? JSON.stringify(data, undefined, 2) : text()}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
