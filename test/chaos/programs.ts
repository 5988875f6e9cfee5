import type { Random } from './random.js';

const KIB = 1_024;
const MIB = 1_024 * KIB;
const SEED_MAX = 0xffffffff;
const SIGNALS = ['SEGV', 'KILL', 'TERM', 'ABRT', 'INT', 'HUP'] as const;

/** How a program ends when nothing disturbs it. `hang` never ends by itself. */
export type NaturalEnd =
  | { readonly how: 'exit'; readonly code: number }
  | { readonly how: 'signal'; readonly signal: string }
  | { readonly how: 'hang' };

/** One exec before it is sent: what its program will do, and what the client will do to it. */
export interface Program {
  readonly key: string;
  readonly kind: string;
  readonly seed: number;
  readonly isText: boolean;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly pieceBytes: number;
  readonly pauseMs: number;
  readonly delayMs: number;
  readonly waitMs: number;
  readonly end: NaturalEnd;
  readonly ignoresTerm: boolean;
  readonly leavesDaemon: boolean;
  readonly timeoutSeconds: number | undefined;
  readonly idleTimeoutSeconds: number | undefined;
  readonly outputBytesMax: number | undefined;
  readonly hasTerminal: boolean;
  /** Sent to it piece by piece; undefined where its input is not open. */
  readonly stdinBytes: number | undefined;
  /** After the exec was accepted; undefined where it is not canceled. */
  readonly cancelAfterMs: number | undefined;
}

type Shape = Partial<Omit<Program, 'key' | 'kind' | 'seed'>>;

interface Kind {
  readonly name: string;
  readonly weight: number;
  readonly shape: (random: Random) => Shape;
}

const exit = (random: Random): NaturalEnd => ({
  how: 'exit',
  code: random.chance(0.4) ? 0 : random.integer(1, 255),
});

/** What is in flight, and how often. A new kind is one row. */
const KINDS: readonly Kind[] = [
  {
    name: 'short',
    weight: 30,
    shape: (random) => ({ stdoutBytes: random.integer(0, 2 * KIB), end: exit(random) }),
  },
  {
    name: 'silent',
    weight: 10,
    shape: (random) => ({ waitMs: random.integer(500, 15_000), end: exit(random) }),
  },
  {
    name: 'long',
    weight: 20,
    shape: (random) => {
      const pieceBytes = random.integer(50, 3_000);
      return {
        stdoutBytes: pieceBytes * random.integer(50, 250),
        pieceBytes,
        pauseMs: random.integer(30, 150),
        end: exit(random),
      };
    },
  },
  {
    name: 'chatty',
    weight: 8,
    shape: (random) => ({
      stdoutBytes: random.integer(MIB, 16 * MIB),
      pieceBytes: 64 * KIB,
      pauseMs: random.chance(0.5) ? 0 : 20,
      end: exit(random),
    }),
  },
  {
    name: 'both',
    weight: 10,
    shape: (random) => ({
      stdoutBytes: random.integer(0, 300 * KIB),
      stderrBytes: random.integer(1, 300 * KIB),
      pieceBytes: random.integer(500, 20_000),
      pauseMs: random.integer(0, 60),
      end: exit(random),
    }),
  },
  {
    name: 'signal',
    weight: 8,
    shape: (random) => ({
      stdoutBytes: random.integer(0, 64 * KIB),
      pauseMs: random.integer(0, 50),
      end: { how: 'signal', signal: random.pick(SIGNALS) },
    }),
  },
  {
    name: 'timeout',
    weight: 8,
    shape: (random) => ({
      stdoutBytes: random.integer(0, 200 * KIB),
      pauseMs: random.integer(0, 40),
      end: { how: 'hang' },
      ignoresTerm: random.chance(0.5),
      timeoutSeconds: random.integer(1, 8),
    }),
  },
  {
    name: 'cancel',
    weight: 10,
    shape: (random) => ({
      stdoutBytes: random.integer(0, 500 * KIB),
      pauseMs: random.integer(0, 60),
      end: random.chance(0.7) ? { how: 'hang' } : exit(random),
      ignoresTerm: random.chance(0.4),
      cancelAfterMs: random.chance(0.4) ? 0 : random.integer(0, 5_000),
    }),
  },
  {
    name: 'daemon',
    weight: 6,
    shape: (random) => ({
      stdoutBytes: random.integer(0, 8 * KIB),
      waitMs: random.integer(0, 1_000),
      end: exit(random),
      leavesDaemon: true,
    }),
  },
  {
    name: 'idle',
    weight: 4,
    shape: (random) => ({
      stdoutBytes: random.integer(0, 20 * KIB),
      end: { how: 'hang' },
      ignoresTerm: random.chance(0.5),
      idleTimeoutSeconds: random.integer(2, 5),
    }),
  },
  {
    name: 'limited',
    weight: 5,
    shape: (random) => {
      const outputBytesMax = random.integer(1, 256 * KIB);
      return {
        stdoutBytes: outputBytesMax + random.integer(1, 2 * MIB),
        pauseMs: random.integer(0, 20),
        outputBytesMax,
      };
    },
  },
  {
    name: 'terminal',
    weight: 5,
    shape: (random) => ({
      isText: true,
      stdoutBytes: random.integer(1, 100 * KIB),
      pauseMs: random.integer(0, 40),
      end: exit(random),
      hasTerminal: true,
    }),
  },
  {
    name: 'stdin',
    weight: 10,
    shape: (random) => ({
      stdinBytes: random.integer(0, 600 * KIB),
      stdoutBytes: random.integer(0, 4 * KIB),
      end: exit(random),
    }),
  },
];

export function planProgram(random: Random, key: string): Program {
  const { name, shape } = random.weighted(KINDS);
  return {
    key,
    kind: name,
    seed: random.integer(1, SEED_MAX),
    isText: random.chance(0.3),
    stdoutBytes: 0,
    stderrBytes: 0,
    pieceBytes: 4 * KIB,
    pauseMs: 0,
    delayMs: random.chance(0.7) ? 0 : random.integer(0, 1_500),
    waitMs: random.chance(0.7) ? 0 : random.integer(0, 800),
    ignoresTerm: false,
    leavesDaemon: false,
    timeoutSeconds: undefined,
    idleTimeoutSeconds: undefined,
    outputBytesMax: undefined,
    hasTerminal: false,
    stdinBytes: undefined,
    cancelAfterMs: undefined,
    end: { how: 'exit', code: 0 },
    ...shape(random),
  };
}

/** The body of the request that runs it. `source` is the text of program.pl. */
export function requestOf(program: Program, source: string): Record<string, unknown> {
  const { key, seed, stdoutBytes, stderrBytes, pieceBytes, pauseMs, delayMs, waitMs } = program;
  const flags = `${program.ignoresTerm ? 't' : ''}${program.leavesDaemon ? 'd' : ''}${program.isText ? 'a' : ''}${program.stdinBytes === undefined ? '' : 'i'}-`;
  const numbers = [seed, stdoutBytes, stderrBytes, pieceBytes, pauseMs, delayMs, waitMs].map(String);
  return {
    argv: ['perl', '-e', source, key, ...numbers, endText(program.end), flags],
    ...(program.stdinBytes === undefined ? {} : { stdin: { kind: 'open' } }),
    ...(program.hasTerminal ? { tty: { columns: 80, rows: 24 } } : {}),
    // What is undefined does not become part of the JSON.
    timeoutSeconds: program.timeoutSeconds,
    idleTimeoutSeconds: program.idleTimeoutSeconds,
    outputBytesMax: program.outputBytesMax,
  };
}

/** How long it takes by itself, at most; the machine may be slower. */
export function naturalMs(program: Program): number {
  const pieces = Math.ceil((program.stdoutBytes + program.stderrBytes) / program.pieceBytes);
  const running = program.delayMs + pieces * program.pauseMs + program.waitMs;
  if (program.end.how !== 'hang') return running;
  const limitsSeconds = [program.timeoutSeconds, program.idleTimeoutSeconds].map(
    (seconds) => seconds ?? Infinity,
  );
  return Math.min(running + Math.min(...limitsSeconds) * 1_000, program.cancelAfterMs ?? Infinity);
}

function endText(end: NaturalEnd): string {
  switch (end.how) {
    case 'exit':
      return `exit:${end.code}`;
    case 'signal':
      return `signal:${end.signal}`;
    case 'hang':
      return 'hang:0';
  }
}
