/**
 * Benchmarks against a running installation. They are clients like any other: they use the public API, and Docker's own for comparison, and must never look into the database or the Workflows to be faster.
 */
import { parseArgs } from 'node:util';
import { benchExec } from './exec.bench.js';
import { describeMachine } from './machine.js';
import { textReport } from './report.js';
import { readRunningInstance } from './running-instance.js';

const ROUNDS_DEFAULT = 100;
const ROUNDS_MAX = 100_000;
const PROGRESS_EVERY = 25;

const USAGE = `Measures a running installation of Berth, interleaved with raw Docker.

Usage: npm run bench -- exec [options]

  --n COUNT        measurements of each kind after the warm-up (default ${ROUNDS_DEFAULT})
  --json           everything as JSON on stdout
  --state-dir DIR  the state folder of the installation (default .berth, or BERTH_STATE_DIR)
  --help           this text
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      n: { type: 'string', default: String(ROUNDS_DEFAULT) },
      json: { type: 'boolean', default: false },
      'state-dir': { type: 'string', default: process.env['BERTH_STATE_DIR'] ?? '.berth' },
      help: { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.n);
  const valid = positionals.length === 1 && positionals[0] === 'exec';
  if (values.help || !valid || !Number.isInteger(rounds) || rounds < 1 || rounds > ROUNDS_MAX) {
    (values.help ? process.stdout : process.stderr).write(USAGE);
    return values.help ? 0 : 2;
  }
  const instance = readRunningInstance(values['state-dir']);
  const machine = await describeMachine(instance);
  const report = await benchExec(instance, rounds, (done, of) => {
    if (done % PROGRESS_EVERY === 0 || done === of) process.stderr.write(`${done} of ${of}\n`);
  });
  process.stdout.write(
    `${values.json ? JSON.stringify({ machine, report }, undefined, 2) : textReport(machine, report)}\n`,
  );
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
