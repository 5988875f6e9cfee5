/**
 * Benchmarks against a running installation. They are clients like any other: they use the public API, and Docker's own for comparison, and must never look into the database or the Workflows to be faster.
 */
import { parseArgs } from 'node:util';
import { benchBulkItems } from '../../test/bench/bulk-items.bench.js';
import { benchBulk } from './bulk.bench.js';
import { benchExec } from './exec.bench.js';
import { benchFiles } from './files.bench.js';
import { benchFleet } from './fleet.bench.js';
import { benchGit } from './git.bench.js';
import { benchIdle } from './idle.bench.js';
import { benchIdleRows } from './idle-rows.bench.js';
import { benchLifecycle } from './lifecycle.bench.js';
import { describeMachine, type Machine } from './machine.js';
import { benchNeighbours } from './neighbours.bench.js';
import { benchOutput } from './output.bench.js';
import { benchRate } from './rate.bench.js';
import {
  bulkItemsReport,
  bulkReport,
  filesReport,
  fleetReport,
  gitReport,
  idleReport,
  idleRowsReport,
  lifecycleReport,
  neighboursReport,
  outputReport,
  rateReport,
  searchReport,
  textReport,
  viewersReport,
} from './report.js';
import { readRunningInstance, type RunningInstance } from './running-instance.js';
import { benchSearch } from './search.bench.js';
import { benchStdin } from './stdin.bench.js';
import { benchViewers } from './viewers.bench.js';

const COUNT_MAX = 100_000;
const FLEET_DEFAULT = 24;
const BULK_ITEMS_DEFAULT = 10_000;
const GIBIBYTES_DEFAULT = 2;
const GIBIBYTES_MAX = 10;
const IDLE_ROWS_DEFAULT = 1_000;
const PROGRESS_EVERY = 25;

const USAGE = `Measures a running installation of Berth, interleaved with raw Docker.

Usage: npm run bench -- exec | rate | output | bulk | stdin | viewers | idle | idle-rows | search | lifecycle |
                        fleet | bulk-items | neighbours | git | files [options]

  exec             short commands: accepted, first byte, exit, with a Workflow each and without
  rate             short commands a second in one sandbox, the same two ways
  output           100 MiB of lines and of zeros to one WebSocket client, and the memory that it takes
  bulk             gibibytes of one command to one WebSocket client, and the memory that they take
  stdin            gibibytes of input to one command, and the memory that they take
  viewers          a hundred viewers of one exec, with and without one that has stalled
  idle             what sandboxes cost in which nothing happens
  idle-rows        what sandboxes cost that are down
  lifecycle        a sandbox made and started, and restarted, beside the engine's own
  search           words in the commands and outputs of 10,000 execs
  fleet            a bulk restart, beside the engine's restarts of containers like theirs
  bulk-items       a bulk restart of sandboxes whose containers are names in memory
  neighbours       commands beside a sandbox in which a fork bomb goes off, and beside a quiet one
  git              a commit and its push, against the two commands by docker exec
  files            files of 1 KiB and of 100 MiB, by turns with the engine's archive API

  --n COUNT        measurements of each kind after the warm-up, or idle sandboxes
                   (default 100; output 5; viewers 3; idle and lifecycle 10; idle-rows 1000; fleet 24; bulk-items 10000;
                   neighbours 200; git and files 50)
  --gib COUNT      how much passes in bulk and stdin, ${GIBIBYTES_MAX} at most (default ${GIBIBYTES_DEFAULT})
  --json           everything as JSON on stdout
  --state-dir DIR  the state folder of the installation (default .berth, or BERTH_STATE_DIR)
  --help           this text
`;

interface Wanted {
  readonly instance: RunningInstance;
  readonly count: number;
  readonly gibibytes: number;
}

interface Bench {
  readonly countDefault: number;
  /** Returns the report, and how to say it in words. */
  run(wanted: Wanted): Promise<{ report: unknown; text(machine: Machine): string }>;
}

const BENCHES: Readonly<Record<string, Bench>> = {
  exec: {
    countDefault: 100,
    run: async ({ instance, count }) => {
      const report = await benchExec(instance, count, (done, of) => {
        if (done % PROGRESS_EVERY === 0 || done === of) process.stderr.write(`${done} of ${of}\n`);
      });
      return { report, text: (machine) => textReport(machine, report) };
    },
  },
  rate: {
    countDefault: 100,
    run: async ({ instance, count }) => {
      const report = await benchRate(instance, count);
      return { report, text: (machine) => rateReport(machine, report) };
    },
  },
  output: {
    countDefault: 5,
    run: async ({ instance, count }) => {
      const report = await benchOutput(instance, count, ({ kind, rawRate, berthRate }) => {
        process.stderr.write(
          `${kind}: raw ${rawRate.toFixed(0)} MiB/s, Berth ${berthRate.toFixed(0)} MiB/s\n`,
        );
      });
      return { report, text: (machine) => outputReport(machine, report) };
    },
  },
  bulk: {
    countDefault: 1,
    run: async ({ instance, gibibytes }) => {
      const report = await benchBulk(instance, gibibytes);
      return {
        report,
        text: (machine) => bulkReport(machine, report, 'of one command to one WebSocket client'),
      };
    },
  },
  stdin: {
    countDefault: 1,
    run: async ({ instance, gibibytes }) => {
      const report = await benchStdin(instance, gibibytes);
      return { report, text: (machine) => bulkReport(machine, report, 'of input to one command') };
    },
  },
  viewers: {
    countDefault: 3,
    run: async ({ instance, count }) => {
      const report = await benchViewers(instance, count);
      return { report, text: (machine) => viewersReport(machine, report) };
    },
  },
  search: {
    countDefault: 100,
    run: async ({ instance, count }) => {
      const report = await benchSearch(instance, count);
      return { report, text: (machine) => searchReport(machine, report) };
    },
  },
  lifecycle: {
    countDefault: 10,
    run: async ({ instance, count }) => {
      const report = await benchLifecycle(instance, count, (round) => {
        process.stderr.write(`${round} of ${count}\n`);
      });
      return { report, text: (machine) => lifecycleReport(machine, report) };
    },
  },
  fleet: {
    countDefault: FLEET_DEFAULT,
    run: async ({ instance, count }) => {
      const report = await benchFleet(instance, count, (line) => process.stderr.write(`${line}\n`));
      return { report, text: (machine) => fleetReport(machine, report) };
    },
  },
  'bulk-items': {
    countDefault: BULK_ITEMS_DEFAULT,
    run: async ({ instance, count }) => {
      let told = 0;
      const report = await benchBulkItems(instance, count, ({ counts: { succeeded } }) => {
        if (succeeded < told + count / 20) return;
        told = succeeded;
        process.stderr.write(`${succeeded} of ${count}\n`);
      });
      return { report, text: (machine) => bulkItemsReport(machine, report) };
    },
  },
  neighbours: {
    countDefault: 200,
    run: async ({ instance, count }) => {
      const report = await benchNeighbours(instance, count);
      return { report, text: (machine) => neighboursReport(machine, report) };
    },
  },
  git: {
    countDefault: 50,
    run: async ({ instance, count }) => {
      const report = await benchGit(instance, count);
      return { report, text: (machine) => gitReport(machine, report) };
    },
  },
  files: {
    countDefault: 50,
    run: async ({ instance, count }) => {
      const report = await benchFiles(instance, count, (round) => {
        process.stderr.write(`round ${round} of ${count}\n`);
      });
      return { report, text: (machine) => filesReport(machine, report) };
    },
  },
  idle: {
    countDefault: 10,
    run: async ({ instance, count }) => {
      const report = await benchIdle(instance, count);
      return { report, text: (machine) => idleReport(machine, report) };
    },
  },
  'idle-rows': {
    countDefault: IDLE_ROWS_DEFAULT,
    run: async ({ instance, count }) => {
      const report = await benchIdleRows(instance, count, (line) => process.stderr.write(`${line}\n`));
      return { report, text: (machine) => idleRowsReport(machine, report) };
    },
  },
};

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      n: { type: 'string' },
      gib: { type: 'string', default: String(GIBIBYTES_DEFAULT) },
      json: { type: 'boolean', default: false },
      'state-dir': { type: 'string', default: process.env['BERTH_STATE_DIR'] ?? '.berth' },
      help: { type: 'boolean', default: false },
    },
  });
  const [kind = '', ...surplus] = positionals;
  const bench = Object.hasOwn(BENCHES, kind) ? BENCHES[kind] : undefined;
  const count = Number(values.n ?? bench?.countDefault);
  const gibibytes = Number(values.gib);
  const valid = surplus.length === 0 && isCount(count, COUNT_MAX) && isCount(gibibytes, GIBIBYTES_MAX);
  if (values.help || !bench || !valid) {
    (values.help ? process.stdout : process.stderr).write(USAGE);
    return values.help ? 0 : 2;
  }
  const instance = readRunningInstance(values['state-dir']);
  const machine = await describeMachine(instance);
  const measured = await bench.run({ instance, count, gibibytes });
  const said = values.json
    ? JSON.stringify({ machine, report: measured.report }, undefined, 2)
    : measured.text(machine);
  process.stdout.write(`${said}\n`);
  return 0;
}

const isCount = (value: number, most: number): boolean =>
  Number.isInteger(value) && value >= 1 && value <= most;

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
