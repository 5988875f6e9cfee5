import { describe, expect, it } from '@jest/globals';
import { judge, type Case } from './checker.js';
import type { ExecBody, ExitRecordBody } from './client.js';
import { ExpectedStream } from './expected-bytes.js';
import type { Injury } from './injury.js';
import type { Program } from './programs.js';
import type { Testimony } from './witness.js';

const SANDBOX = 'sandbox-1';
const program: Program = {
  key: 'run-1',
  kind: 'short',
  seed: 1,
  isText: false,
  stdoutBytes: 100,
  stderrBytes: 0,
  pieceBytes: 100,
  pauseMs: 0,
  delayMs: 0,
  waitMs: 0,
  end: { how: 'exit', code: 3 },
  ignoresTerm: false,
  leavesDaemon: false,
  timeoutSeconds: undefined,
  idleTimeoutSeconds: undefined,
  outputBytesMax: undefined,
  hasTerminal: false,
  stdinBytes: undefined,
  cancelAfterMs: undefined,
};
const record: ExitRecordBody = {
  reason: 'exited',
  exitCode: 3,
  signal: null,
  stdoutBytes: 100,
  stderrBytes: 0,
  stdoutSha256: '',
  stderrSha256: '',
  descendantsLeft: 0,
};
const failed: ExecBody = {
  id: 'exec-1',
  sandboxId: SANDBOX,
  state: 'failed',
  argv: [],
  exitCode: 3,
  signal: null,
  stdoutBytes: 100,
  stderrBytes: 0,
  startedAt: null,
  finishedAt: null,
  outputState: 'hot',
  cancelRequestedAt: null,
  failure: null,
  evidence: null,
  exitRecord: record,
};
const lost: ExecBody = { ...failed, state: 'lost', exitCode: null, exitRecord: null, stdoutBytes: 40 };
const testimony: Testimony = {
  starts: 1,
  startedAtMs: 1_000,
  wroteAtMs: 1_001,
  end: 'exit 3',
  endedAtMs: 2_000,
  stdin: Buffer.alloc(0),
  sawEndOfStdin: false,
  written: { stdout: { certainly: 100, atMost: 100 }, stderr: { certainly: 0, atMost: 0 } },
};
const killed = (change: Partial<Injury>): Injury => ({
  number: 1,
  target: 'container',
  mode: 'kill',
  atMs: 1_500,
  untilMs: 1_500,
  sandboxId: SANDBOX,
  execKey: undefined,
  detail: '',
  ...change,
});

function verdict(change: Partial<Case>): string[] {
  return judge({
    program,
    sandboxId: SANDBOX,
    execId: 'exec-1',
    askedAtMs: 1_000,
    endSeenAtMs: 3_000,
    end: failed,
    cancelAnswer: undefined,
    misreadings: [],
    shown: { stdout: 100, stderr: 0 },
    testimony,
    injuries: [],
    ...change,
  }).map(({ kind }) => kind);
}

describe('the verdict on an exec', () => {
  it('is nothing where Berth says what the program noted', () => {
    expect(verdict({})).toEqual([]);
  });

  it.each<[string, Partial<Case>, string[]]>([
    ['a second start', { testimony: { ...testimony, starts: 2 } }, ['second run']],
    ['another exit code', { end: { ...failed, exitCode: 4 } }, ['exit code']],
    ['an end that was never reached', { testimony: { ...testimony, end: undefined } }, ['exit code']],
    ['success with a code', { end: { ...failed, state: 'succeeded' } }, ['exit code']],
    [
      'a byte too few',
      { end: { ...failed, stdoutBytes: 99 }, shown: { stdout: 99, stderr: 0 } },
      ['lost bytes'],
    ],
    [
      'bytes that were shown and are gone',
      { end: { ...failed, stdoutBytes: 99 } },
      ['lost bytes', 'lost bytes'],
    ],
    ['a byte too many', { end: { ...failed, stdoutBytes: 101 } }, ['doubled bytes']],
    ['a timeout of its own', { end: { ...failed, state: 'timed_out' } }, ['wrong end']],
    ['a cancel that nobody asked for', { end: { ...failed, state: 'canceled' } }, ['wrong end']],
    ['running out of memory', { end: { ...failed, state: 'oom_killed' } }, ['wrong end']],
  ])('finds %s', (_name, change, kinds) => {
    expect(verdict(change)).toEqual(kinds);
  });
});

describe('an exec whose program noted nothing', () => {
  const nothing = { certainly: 0, atMost: 0 };
  const unnoted: Partial<Case> = {
    testimony: { ...testimony, starts: 0, end: undefined, written: { stdout: nothing, stderr: nothing } },
    shown: { stdout: 0, stderr: 0 },
    end: {
      ...failed,
      exitCode: null,
      signal: 'SIGKILL',
      stdoutBytes: 0,
      exitRecord: { ...record, reason: 'sandbox_stopped', exitCode: null, signal: 'SIGKILL', stdoutBytes: 0 },
    },
  };

  it('may have been ended with its sandbox before its first line', () => {
    expect(verdict({ ...unnoted, injuries: [killed({})] })).toEqual([]);
  });

  it('has not failed where nobody ended its sandbox', () => {
    expect(verdict(unnoted)).toContain('wrong end');
  });

  it('has not failed by itself', () => {
    const end = { ...failed, stdoutBytes: 0 };
    expect(verdict({ ...unnoted, end, injuries: [killed({})] })).toContain('wrong end');
  });
});

describe('a lost exec', () => {
  const shown = { stdout: 40, stderr: 0 };

  it.each<[string, Injury]>([
    ['its container', killed({})],
    ['the init of its sandbox', killed({ target: 'init' })],
    ['its supervisor', killed({ target: 'supervisor', execKey: 'run-1' })],
  ])('is right where %s was killed, and may lack what the pipe held', (_name, injury) => {
    expect(verdict({ end: lost, shown, injuries: [injury] })).toEqual([]);
  });

  it.each<[string, Injury]>([
    ['another sandbox', killed({ sandboxId: 'sandbox-2' })],
    ['the supervisor of another exec', killed({ target: 'supervisor', execKey: 'run-2' })],
    ['the worker', killed({ target: 'worker', sandboxId: undefined })],
    ['its container before it was asked for', killed({ atMs: 500 })],
    ['its container, for a while', killed({ mode: 'stop' })],
  ])('is wrong where only %s was hurt', (_name, injury) => {
    expect(verdict({ end: lost, shown, injuries: [injury] })).toEqual(['wrong end']);
  });

  it('is right where the whole machine was lost', () => {
    const injury = killed({ target: 'machine', sandboxId: undefined });
    expect(verdict({ end: lost, shown, injuries: [injury] })).toEqual([]);
  });

  it('is wrong where its record was on the disk long before its container was killed', () => {
    const injury = killed({ atMs: 40_000 });
    expect(verdict({ end: lost, shown, injuries: [injury] })).toEqual(['wrong end']);
    const stopped = killed({ mode: 'stop', atMs: 1_500, untilMs: 39_999 });
    expect(verdict({ end: lost, shown, injuries: [stopped, injury] })).toEqual([]);
  });

  it('may have seen its input end with its supervisor', () => {
    const cut = { ...testimony, sawEndOfStdin: true };
    const given = { ...program, stdinBytes: 5_000 };
    expect(verdict({ program: given, end: lost, shown, testimony: cut, injuries: [killed({})] })).toEqual([]);
  });

  it('has no exit code', () => {
    expect(verdict({ end: { ...lost, exitCode: 0 }, shown, injuries: [killed({})] })).toEqual(['exit code']);
  });
});

describe('the input of an exec', () => {
  const sent: Program = { ...program, stdinBytes: 5_000 };
  const bytes = new ExpectedStream(sent.seed, 'stdin', false).bytes(0, 5_000);

  it.each<[string, Partial<Testimony>, string[]]>([
    ['is right as a whole', { stdin: bytes, sawEndOfStdin: true }, []],
    ['is right as far as it came', { stdin: bytes.subarray(0, 77) }, []],
    ['is wrong with an early end', { stdin: bytes.subarray(0, 77), sawEndOfStdin: true }, ['input']],
    ['is wrong with a byte left out', { stdin: bytes.subarray(1) }, ['input']],
    [
      'is wrong with a byte twice',
      { stdin: Buffer.concat([bytes, bytes.subarray(0, 1)]) },
      ['input', 'input'],
    ],
  ])('%s', (_name, change, kinds) => {
    expect(verdict({ program: sent, testimony: { ...testimony, ...change } })).toEqual(kinds);
  });
});

describe('an exec that was not started', () => {
  const failure = { code: 'dependency_unavailable', message: 'Temporal does not answer.' };
  const end: ExecBody = { ...lost, state: 'not_started', stdoutBytes: 0, failure };
  const shown = { stdout: 0, stderr: 0 };
  const nothing: Testimony = { ...testimony, starts: 0, end: undefined };

  it('has not run, and something was away', () => {
    expect(verdict({ end, shown, testimony: nothing, injuries: [killed({ target: 'temporal' })] })).toEqual(
      [],
    );
  });

  it('is not explained by the time it has waited', () => {
    const waited = { code: 'invalid_state', message: 'Its sandbox did not take it in time.' };
    const late = { ...end, failure: waited };
    expect(verdict({ end: late, shown, testimony: nothing, injuries: [killed({})] })).toEqual(['wrong end']);
  });

  it('must not have run', () => {
    expect(verdict({ end, shown, injuries: [killed({ target: 'temporal' })] })).toEqual(['wrong end']);
  });

  it.each([
    ['Temporal does not answer.', killed({ target: 'minio' })],
    ['The sandbox stopped before the command was started.', killed({ sandboxId: 'sandbox-2' })],
  ])('needs a reason that is one: %s', (message, injury) => {
    const other = { ...end, failure: { code: 'container_missing', message } };
    expect(verdict({ end: other, shown, testimony: nothing })).toEqual(['wrong end']);
    expect(verdict({ end: other, shown, testimony: nothing, injuries: [injury] })).toEqual(['wrong end']);
  });
});

describe('an exec that has timed out', () => {
  const limited: Program = { ...program, timeoutSeconds: 5 };
  const ended = (seconds: number): ExecBody => ({
    ...failed,
    state: 'timed_out',
    finishedAt: new Date(1_000 + seconds * 1_000).toISOString(),
  });

  it('has run as long as it may', () => {
    expect(verdict({ program: limited, end: ended(5.1) })).toEqual([]);
  });

  it('was not cut short', () => {
    expect(verdict({ program: limited, end: ended(3) })).toEqual(['wrong end']);
  });
});
