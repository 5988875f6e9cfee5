import type { ExecBody } from './client.js';
import { ExpectedStream, type StreamName } from './expected-bytes.js';
import { hurtsSandbox, type Injury, type Target } from './injury.js';
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

/** How long after its program's end an exec may be without a record on the disk: descendants are ended, and a busy disk syncs twice. */
const RECORD_WITHIN_MS = 30_000;
/** How far the clock of files, which moves with the ticks of the kernel, may be off from that of the exec. */
const TIMEOUT_TOLERANCE_MS = 500;
/** Which injuries can be meant when Berth says that it could not reach what it needs. */
const DEPENDENCIES: readonly { readonly words: RegExp; readonly targets: readonly Target[] }[] = [
  { words: /Temporal/, targets: ['temporal', 'api-temporal', 'machine'] },
  { words: /database/, targets: ['postgres', 'api-postgres', 'worker-postgres', 'machine'] },
];

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

function judgeRuns(facts: Case, violate: Violate): void {
  const { testimony, end } = facts;
  const { starts } = testimony;
  if (starts > 1) violate('second run', `it was started ${starts} times`);
  const hasRecord = end.exitRecord !== null;
  const neverRan = end.state === 'not_started' || (end.state === 'canceled' && !hasRecord);
  if (neverRan && starts > 0)
    violate('wrong end', `it is ${end.state}, as if it had never run, and it was started`);
  if ((end.state === 'succeeded' || end.state === 'failed') && starts === 0 && !mayHaveDiedUnnoted(facts)) {
    violate('wrong end', `it is ${end.state}, and it was never started`);
  }
}

/** Its sandbox was ended in the milliseconds between the start of its program and the first line of that. */
function mayHaveDiedUnnoted(facts: Case): boolean {
  const { exitRecord, signal, stdoutBytes, stderrBytes } = facts.end;
  const isStopped = exitRecord?.reason === 'sandbox_stopped' && signal === 'SIGKILL';
  return isStopped && stdoutBytes + stderrBytes === 0 && wasSandboxHurt(facts);
}

function judgeEnd(facts: Case, violate: Violate): void {
  const { end, program, testimony } = facts;
  const said = saidEnd(end);
  switch (end.state) {
    case 'succeeded':
    case 'failed':
      if (end.exitRecord?.reason === 'sandbox_stopped' && wasSandboxHurt(facts)) return;
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
      judgeTimeout(facts, violate);
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
      if (!mayBeUnstarted(facts))
        violate('wrong end', `it was not started without a cause: ${JSON.stringify(end.failure)}`);
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

/**
 * Only what kills the exec's own processes, during its life, can make its end unknown: from the request on, and not long
 * after the program's own end, when the record of it is on the disk. A supervisor that was stopped may write it later.
 */
function wasLosable({ injuries, sandboxId, program, askedAtMs, testimony }: Case): boolean {
  const concerns = (injury: Injury): boolean =>
    hurtsSandbox(injury, sandboxId) || (injury.target === 'supervisor' && injury.execKey === program.key);
  const wasStopped = injuries.some((injury) => injury.mode === 'stop' && concerns(injury));
  const recordedBy = wasStopped ? Infinity : (testimony.endedAtMs ?? Infinity) + RECORD_WITHIN_MS;
  return injuries.some(
    (injury) =>
      injury.mode === 'kill' && injury.atMs >= askedAtMs && injury.atMs <= recordedBy && concerns(injury),
  );
}

function wasSandboxHurt({ injuries, sandboxId }: Case): boolean {
  return injuries.some((injury) => hurtsSandbox(injury, sandboxId));
}

/** What was not started says why, and that must be something that was done. */
function mayBeUnstarted({ end, injuries, sandboxId }: Case): boolean {
  const dependency = DEPENDENCIES.find(({ words }) => words.test(end.failure?.message ?? ''));
  if (dependency !== undefined) return injuries.some(({ target }) => dependency.targets.includes(target));
  return end.failure?.code === 'container_missing' && injuries.some((one) => hurtsSandbox(one, sandboxId));
}

/** No limit of time strikes before its time. */
function judgeTimeout({ program, end, testimony }: Case, violate: Violate): void {
  const limits = [program.timeoutSeconds, program.idleTimeoutSeconds].filter((limit) => limit !== undefined);
  const { startedAtMs } = testimony;
  if (limits.length === 0) violate('wrong end', 'it is timed_out, and had no timeout');
  if (startedAtMs === undefined || end.finishedAt === null) return;
  const ranMs = Date.parse(end.finishedAt) - startedAtMs;
  if (ranMs + TIMEOUT_TOLERANCE_MS < Math.min(...limits) * 1_000)
    violate('wrong end', `it is timed_out after ${ranMs} ms, and may run ${Math.min(...limits)} s`);
}
