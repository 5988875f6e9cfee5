import type { ExecBody } from './client.js';
import { ExpectedStream, type StreamName } from './expected-bytes.js';
import type { Injury } from './injury.js';
import type { Program } from './programs.js';
import type { Misreading } from './readings.js';
import type { Violation, ViolationKind } from './violation.js';
import type { Testimony } from './witness.js';

/** Everything that is known of one exec from outside. */
export interface Case {
  readonly program: Program;
  readonly sandboxId: string;
  readonly execId: string;
  readonly askedAtMs: number;
  readonly endSeenAtMs: number;
  readonly end: ExecBody;
  readonly cancelAnswer: number | undefined;
  readonly misreadings: readonly Misreading[];
  readonly shown: Readonly<Record<StreamName, number>>;
  readonly testimony: Testimony;
  /** What was done to anything during its life. */
  readonly injuries: readonly Injury[];
}

const MISREADING_KINDS: Record<Misreading['kind'], ViolationKind> = {
  'wrong bytes': 'lost bytes',
  'doubled or skipped bytes': 'doubled bytes',
  'bytes beyond the end': 'doubled bytes',
  'bytes are gone': 'lost bytes',
};

/** Compares what Berth says of an exec with what its program noted of itself. Pure: the same facts give the same verdict. */
export function judge(facts: Case): Violation[] {
  const found: Violation[] = [];
  const { key } = facts.program;
  const violate = (kind: ViolationKind, detail: string): void => {
    found.push({ kind, key, execId: facts.execId, detail });
  };
  for (const { kind, reader, stream, detail } of facts.misreadings) {
    violate(MISREADING_KINDS[kind], `${stream}, ${reader}: ${kind}: ${detail}`);
  }
  judgeRuns(facts, violate);
  judgeEnd(facts, violate);
  judgeBytes(facts, violate);
  judgeInput(facts, violate);
  return found;
}

type Violate = (kind: ViolationKind, detail: string) => void;

function judgeRuns({ testimony, end }: Case, violate: Violate): void {
  const { starts } = testimony;
  if (starts > 1) violate('second run', `it was started ${starts} times`);
  const hasRecord = end.exitRecord !== null;
  const neverRan = end.state === 'not_started' || (end.state === 'canceled' && !hasRecord);
  if (neverRan && starts > 0)
    violate('wrong end', `it is ${end.state}, as if it had never run, and it was started`);
  if ((end.state === 'succeeded' || end.state === 'failed') && starts === 0) {
    violate('wrong end', `it is ${end.state}, and it was never started`);
  }
}

function judgeEnd(facts: Case, violate: Violate): void {
  const { end, program, testimony } = facts;
  const said = saidEnd(end);
  switch (end.state) {
    case 'succeeded':
    case 'failed':
      if (end.exitRecord?.reason === 'sandbox_stopped' && wasContainerHurt(facts)) return;
      if (said !== testimony.end) {
        violate(
          'exit code',
          `it is ${end.state} with ${said}, and the program noted ${testimony.end ?? 'no end'}`,
        );
      }
      if ((end.state === 'succeeded') !== (end.exitCode === 0)) {
        violate('exit code', `${end.state} with the exit code ${end.exitCode}`);
      }
      return;
    case 'timed_out':
      if (program.timeoutSeconds === undefined && program.idleTimeoutSeconds === undefined)
        violate('wrong end', 'it is timed_out, and had no timeout');
      return;
    case 'canceled':
      if (program.cancelAfterMs === undefined)
        violate('wrong end', 'it is canceled, and nobody has asked for that');
      return;
    case 'output_limited':
      if (program.outputBytesMax === undefined)
        violate('wrong end', 'it is output_limited, and had no limit');
      return;
    case 'lost':
      if (!wasLosable(facts))
        violate('wrong end', `it is lost without a cause: ${JSON.stringify(end.evidence)}`);
      if (end.exitCode !== null || end.signal !== null) violate('exit code', `it is lost with ${said}`);
      return;
    case 'not_started':
      if (facts.injuries.length === 0) {
        violate('wrong end', `it was not started, and nothing was killed: ${JSON.stringify(end.failure)}`);
      }
      if (end.exitCode !== null) violate('exit code', `it was not started, and has ${said}`);
      return;
    default:
      violate('wrong end', `nothing was done to make it ${end.state}: ${JSON.stringify(end.failure)}`);
  }
}

function judgeBytes({ end, testimony, shown, program }: Case, violate: Violate): void {
  if (end.stdoutBytes + end.stderrBytes > (program.outputBytesMax ?? Infinity)) {
    violate('wrong end', `${end.stdoutBytes} bytes were taken, and ${program.outputBytesMax} were allowed`);
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    const total = stream === 'stdout' ? end.stdoutBytes : end.stderrBytes;
    const { certainly, atMost } = testimony.written[stream];
    if (shown[stream] > total) {
      violate(
        'lost bytes',
        `${stream}: ${shown[stream]} bytes were shown, and in the end there are ${total}`,
      );
    }
    if (total > atMost)
      violate('doubled bytes', `${stream}: ${total} bytes of at most ${atMost} that were written`);
    // Without a record the pipe and the supervisor died with what they held; with one every written byte is there.
    if (end.exitRecord !== null && end.state !== 'output_limited' && total < certainly) {
      violate('lost bytes', `${stream}: ${total} bytes of ${certainly} that were certainly written`);
    }
  }
}

/** What the program has read is the beginning of what was sent, and all of it where it saw the end. */
function judgeInput({ program, testimony, end }: Case, violate: Violate): void {
  const { stdinBytes = 0, seed, isText } = program;
  const { stdin, sawEndOfStdin } = testimony;
  const wrong = new ExpectedStream(seed, 'stdin', isText).firstDifference(0, stdin);
  if (wrong !== undefined) violate('input', `the program read ${stdin.length} bytes, wrong from ${wrong} on`);
  const isWhole = stdin.length === stdinBytes;
  // A supervisor that dies takes the pipe with it, and its program sees that as an end before it is killed, too.
  const hasEndTooEarly = sawEndOfStdin && !isWhole && end.state !== 'lost';
  if (stdin.length > stdinBytes || hasEndTooEarly) {
    violate('input', `the program read ${stdin.length} bytes of the ${stdinBytes} that were sent`);
  }
}

function saidEnd(end: ExecBody): string {
  if (end.exitCode !== null) return `exit ${end.exitCode}`;
  return end.signal === null ? 'neither code nor signal' : `signal ${end.signal}`;
}

/** Only what kills the exec's own processes, during its life, can make its end unknown. */
function wasLosable({ injuries, sandboxId, program, askedAtMs }: Case): boolean {
  return injuries.some(
    (injury) =>
      injury.mode === 'kill' &&
      injury.atMs >= askedAtMs &&
      ((injury.target === 'supervisor' && injury.execKey === program.key) ||
        (isContainer(injury) && injury.sandboxId === sandboxId)),
  );
}

function wasContainerHurt({ injuries, sandboxId }: Case): boolean {
  return injuries.some((injury) => isContainer(injury) && injury.sandboxId === sandboxId);
}

const isContainer = ({ target }: Injury): boolean => target === 'container' || target === 'init';
