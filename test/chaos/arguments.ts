import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

const KILLS_DEFAULT = 25;
const KILLS_MAX = 100_000;
const MINUTES_MAX = 24 * 60;
const IN_FLIGHT_DEFAULT = 24;
const IN_FLIGHT_MAX = 500;
const PORT_BASE_DEFAULT = 25_000;
const SEED_MAX = 1_000_000_000;

export const USAGE = `Kills parts of a running Berth with -9, or stops them for up to 30 s, and checks from outside what became of it.

Usage: npm run chaos -- exec [options]        while dozens of commands run: no command, byte or end is lost, doubled or invented
       npm run chaos -- lifecycle [options]   while sandboxes are made, restarted, kept, restored, changed and deleted: none runs twice, none is left
       npm run chaos -- bulk [options]        while bulk operations go over fleets of sandboxes: no item is done twice, none is forgotten
       npm run chaos -- git [options]         while repositories are cloned, committed to, pushed and pulled: each commit is there once

  --kills N         how many kills and stops (default ${KILLS_DEFAULT})
  --seed S          the same seed plans the same commands and the same kills (default: a new one, printed)
  --minutes M       kill no more after M minutes
  --in-flight N     how many commands are kept running (default ${IN_FLIGHT_DEFAULT})
  --only NAMES      a comma-separated list of what is killed: api, worker, temporal, postgres, minio, dockerd, containerd,
                    init, container, supervisor; of the lines that are cut: api-postgres, worker-postgres, api-temporal,
                    worker-temporal, worker-minio; machine: all of it at once
  --state-dir DIR   use the installation that runs from DIR instead of one of its own
  --port-base PORT  the first port of its own installation (default ${PORT_BASE_DEFAULT})
  --keep            leave its own installation and its files behind, to look at
  --judge-reads     40 s without kills before the first and after the last: are reads as quick again? (exec)
  --publish         add the result to docs/proof.md
  --json            the result as JSON on stdout, progress on stderr
  --help            this text

It needs root: it kills processes in sandboxes and reads their volumes past Berth. Its own installation has a network
namespace of its own, without a way out: run npm start or npm test once before, so that nothing has to be fetched. The
exit code is 1 when anything was violated.`;

const SUBJECTS = ['exec', 'lifecycle', 'bulk', 'git'] as const;
export type ChaosSubject = (typeof SUBJECTS)[number];

export interface ChaosOptions {
  readonly subject: ChaosSubject;
  readonly kills: number;
  readonly seed: string;
  readonly minutes: number | undefined;
  readonly inFlight: number;
  readonly only: readonly string[] | undefined;
  readonly stateDirectory: string | undefined;
  readonly portBase: number;
  readonly keep: boolean;
  readonly judgesReads: boolean;
  readonly publish: boolean;
  readonly json: boolean;
}

/** Thrown for an argument that is not understood. */
export class UsageError extends Error {}

/** Undefined where only the help is wanted. */
export function parseChaosArguments(argv: readonly string[]): ChaosOptions | undefined {
  const { values, positionals } = parse(argv);
  if (values.help) return undefined;
  const subject = SUBJECTS.find((name) => name === positionals[0]);
  if (positionals.length !== 1 || subject === undefined)
    throw new UsageError(`Say what to test: ${SUBJECTS.join(' or ')}.`);
  return {
    subject,
    kills: whole('--kills', values.kills, 0, KILLS_MAX) ?? KILLS_DEFAULT,
    seed: values.seed ?? String(randomInt(SEED_MAX)),
    minutes: whole('--minutes', values.minutes, 1, MINUTES_MAX),
    inFlight: whole('--in-flight', values['in-flight'], 1, IN_FLIGHT_MAX) ?? IN_FLIGHT_DEFAULT,
    only: values.only?.split(',').map((name) => name.trim()),
    stateDirectory: values['state-dir'],
    portBase: whole('--port-base', values['port-base'], 1_024, 65_000) ?? PORT_BASE_DEFAULT,
    keep: values.keep,
    judgesReads: values['judge-reads'],
    publish: values.publish,
    json: values.json,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        kills: { type: 'string' },
        seed: { type: 'string' },
        minutes: { type: 'string' },
        'in-flight': { type: 'string' },
        only: { type: 'string' },
        'state-dir': { type: 'string' },
        'port-base': { type: 'string' },
        keep: { type: 'boolean', default: false },
        'judge-reads': { type: 'boolean', default: false },
        publish: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function whole(name: string, text: string | undefined, from: number, to: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= from && value <= to) return value;
  throw new UsageError(`${name} takes a whole number from ${from} to ${to}, not "${text}".`);
}
