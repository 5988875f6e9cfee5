import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  DomainError,
  encodeFrame,
  execId,
  hostId,
  isTerminal,
  EXEC_TRANSITIONS,
  ownerId,
  sandboxId,
  tenantId,
  type Chunk,
  type ContainerView,
  type Exec,
  type ExecEnd,
  type FollowEvent,
  type RunnerExecStatus,
  type StartState,
} from '#domain';
import { exitRecordOf } from '../../../../test/fakes/exit-record.js';
import type { ExecSupervisorPorts } from './supervisor-ports.js';
import { ExecSupervisor } from './exec-supervisor.js';

const ID = execId('0190b0a0-0000-7000-8000-000000000001');
const SANDBOX = sandboxId('0190b0a0-0000-7000-8000-000000000002');

function frame(offset: number, payload: string): Uint8Array {
  return encodeFrame({
    stream: 'stdout',
    flags: 0,
    offset,
    timeMicros: 1,
    payload: new TextEncoder().encode(payload),
  });
}

/** The row of one exec, with the compare-and-set rules of the real store. */
class Row {
  exec: Exec;
  readonly chunks: Chunk[] = [];
  /** Errors that the next appends answer with, after (true) or before (false) they took effect. */
  readonly appendFailures: boolean[] = [];

  constructor(state: Exec['state']) {
    this.exec = {
      id: ID,
      tenantId: tenantId('default'),
      ownerId: ownerId('u1'),
      sandboxId: SANDBOX,
      hostId: hostId('local'),
      generation: 1,
      state,
      request: {
        argv: ['true'],
        env: {},
        workingDirectory: null,
        user: null,
        stdin: { kind: 'none' },
        tty: null,
        idleTimeoutSeconds: null,
        allowBackground: false,
        timeoutSeconds: 60,
        labels: {},
        queueTimeoutSeconds: 60,
        outputBytesMax: 1_000,
      },
      requestHash: '',
      outputState: 'hot',
      committedPosition: 0,
      stdoutBytes: 0,
      stderrBytes: 0,
      exitCode: null,
      signal: null,
      failure: null,
      exitRecord: null,
      evidence: null,
      cancelRequestedAt: null,
      createdAt: '2026-01-01T00:00:00Z',
      startedAt: null,
      finishedAt: null,
    };
  }

  get output(): string {
    return this.chunks.map((chunk) => Buffer.from(chunk.frames.subarray(24)).toString()).join('');
  }

  append(chunk: Chunk): boolean {
    const fails = this.appendFailures.shift();
    const takes =
      chunk.position === this.exec.committedPosition && !isTerminal(EXEC_TRANSITIONS, this.exec.state);
    if (fails !== false && takes) {
      this.chunks.push(chunk);
      this.exec = { ...this.exec, committedPosition: chunk.endPosition, stdoutBytes: chunk.stdoutTo };
    }
    if (fails !== undefined) {
      throw new DomainError('dependency_unavailable', 'away', { dependency: 'postgres' });
    }
    return takes;
  }

  end(end: ExecEnd): boolean {
    if (isTerminal(EXEC_TRANSITIONS, this.exec.state)) return false;
    if (end.exitRecord && end.exitRecord.endPosition !== this.exec.committedPosition) return false;
    this.exec = { ...this.exec, ...end };
    return true;
  }
}

/** A runner that plays one script per follow, beginning at the position asked for. */
class ScriptedRunner {
  readonly starts: string[] = [];
  readonly follows: number[] = [];
  startState: StartState = 'started';
  startRefusal: Error | undefined;
  statusState: RunnerExecStatus['state'] = 'running';
  /** A promise among them is waited for. */
  readonly scripts: (FollowEvent | Error | Promise<void>)[][] = [];

  connection() {
    return {
      start: async ({ execId: id }: { execId: string }) => {
        this.starts.push(id);
        if (this.startRefusal) throw this.startRefusal;
        return { state: this.startState };
      },
      status: async () => ({ execId: ID, state: this.statusState, firstPosition: 0, endPosition: 0 }),
      list: async () => [],
      follow: (_id: string, from: number) => this.play(from),
      commit: async () => undefined,
      cancel: async () => ({ state: 'canceled' as const, descendantsKilled: 0, hadToKill: false }),
      forget: async () => undefined,
      close: async () => undefined,
      closed: new Promise<undefined>(() => undefined),
    };
  }

  private async *play(from: number): AsyncGenerator<FollowEvent> {
    this.follows.push(from);
    for (const event of this.scripts.shift() ?? []) {
      if (event instanceof Error) throw event;
      if (event instanceof Promise) await event;
      else yield event;
    }
  }
}

const silentLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

let row: Row;
let runner: ScriptedRunner;
let container: ContainerView['state'];
let oomKilled: boolean;
let markingRunning: { tried: () => void; failure?: Error };

function supervisor(): ExecSupervisor {
  const ports = {
    execs: {
      get: async () => row.exec,
      append: async (_id: string, chunk: Chunk) => row.append(chunk),
      end: async (_id: string, _from: unknown, end: ExecEnd) => row.end(end),
      markRunning: async () => {
        markingRunning.tried();
        if (markingRunning.failure) throw markingRunning.failure;
        if (row.exec.state !== 'starting') return false;
        row.exec = { ...row.exec, state: 'running' };
        return true;
      },
      listStartable: async () => [],
      listLiveOnHost: async () => [row.exec],
    },
    sandboxes: { get: async () => ({ image: 'image' }) },
    engine: {
      inspect: async () => ({ state: container, exitCode: container === 'exited' ? 137 : null, oomKilled }),
      connect: async () => {
        if (container !== 'running') throw unreachable();
        return runner.connection();
      },
      drain: async () => runner.connection(),
    },
    wake: { wake: () => undefined },
    signaller: { wakeExec: async () => undefined },
    buffers: { passed: () => undefined },
    log: silentLog,
  };
  return new ExecSupervisor(ports as unknown as ExecSupervisorPorts, hostId('local'));
}

const first = frame(0, 'hello ');
const second = frame(6, 'world');
const END: FollowEvent = {
  kind: 'end',
  exitRecord: exitRecordOf({ execId: ID, exitCode: 3, endPosition: first.length + second.length }),
};
const framesAt = (position: number, bytes: Uint8Array): FollowEvent => ({ kind: 'frames', position, bytes });
const unreachable = () => new DomainError('runner_unreachable', 'gone');

beforeEach(() => {
  row = new Row('starting');
  runner = new ScriptedRunner();
  container = 'running';
  oomKilled = false;
  markingRunning = { tried: () => undefined };
});

describe('supervising an exec', () => {
  it('starts it, commits its output and ends the row with the exit record', async () => {
    runner.scripts.push([framesAt(0, first), framesAt(first.length, second), END]);
    await supervisor().join(row.exec).ended;
    expect(row.output).toContain('hello');
    expect(row.exec).toMatchObject({ state: 'failed', exitCode: 3, stdoutBytes: 11 });
    expect(runner.starts).toEqual([ID]);
  });

  it('ends although it could not be noted that it runs', async () => {
    const tried = new Promise<void>((resolve) => {
      markingRunning = { tried: resolve, failure: new Error('cannot execute UPDATE') };
    });
    runner.scripts.push([tried, framesAt(0, first), framesAt(first.length, second), END]);
    await supervisor().join(row.exec).ended;
    expect(row.exec).toMatchObject({ state: 'failed', exitCode: 3, stdoutBytes: 11 });
    expect(runner.follows).toEqual([0]);
  });

  it('never asks for a start of what is already running', async () => {
    row = new Row('running');
    runner.scripts.push([framesAt(0, first), framesAt(first.length, second), END]);
    await supervisor().join(row.exec).ended;
    expect(runner.starts).toEqual([]);
    expect(row.exec.state).toBe('failed');
  });

  it('reads on from the committed position after the runner was lost', async () => {
    runner.scripts.push([framesAt(0, first), unreachable()]);
    runner.scripts.push([framesAt(first.length, second), END]);
    await supervisor().join(row.exec).ended;
    expect(runner.follows).toEqual([0, first.length]);
    expect(row.exec).toMatchObject({ state: 'failed', exitCode: 3, stdoutBytes: 11 });
  });

  it('commits a piece once when the answer of the database was lost', async () => {
    row.appendFailures.push(true);
    runner.scripts.push([framesAt(0, first), framesAt(first.length, second), END]);
    await supervisor().join(row.exec).ended;
    expect(row.exec).toMatchObject({ state: 'failed', stdoutBytes: 11 });
    expect(row.chunks.reduce((sum, chunk) => sum + chunk.frames.length, 0)).toBe(
      first.length + second.length,
    );
  });

  it('waits for a database that is away and loses nothing', async () => {
    row.appendFailures.push(false, false, false);
    runner.scripts.push([framesAt(0, first), framesAt(first.length, second), END]);
    await supervisor().join(row.exec).ended;
    expect(row.exec).toMatchObject({ state: 'failed', stdoutBytes: 11 });
  });

  it('stops at once when another writer has ended the row', async () => {
    runner.scripts.push([framesAt(0, first)]);
    const supervision = supervisor().join(row.exec);
    row.exec = { ...row.exec, state: 'succeeded', exitCode: 0 };
    await supervision.ended;
    expect(row.exec).toMatchObject({ state: 'succeeded', exitCode: 0 });
    expect(row.chunks).toEqual([]);
  });

  it('tells watchers of output after it is committed, and that there is no more', async () => {
    runner.scripts.push([framesAt(0, first), framesAt(first.length, second), END]);
    const told: string[] = [];
    const watcher = {
      take: (chunk: Chunk) => {
        expect(row.exec.committedPosition).toBe(chunk.endPosition);
        told.push(Buffer.from(chunk.frames.subarray(24)).toString());
      },
      over: () => told.push('over'),
    };
    const watched = supervisor();
    const { ended } = watched.join(row.exec);
    watched.watchCommitted(ID, watcher);
    expect(watched.watchCommitted(execId('0190b0a0-0000-7000-8000-00000000000f'), watcher)).toBeUndefined();
    await ended;
    await Promise.resolve();
    expect(told.at(-1)).toBe('over');
    expect(told.length).toBeGreaterThan(1);
  });

  it('has one supervision however often it is joined', async () => {
    runner.scripts.push([framesAt(0, first), framesAt(first.length, second), END]);
    const one = supervisor();
    await Promise.all([one.join(row.exec).ended, one.join(row.exec).ended, one.adopt()]);
    expect(runner.starts).toEqual([ID]);
  });

  it('is lost, with what was written, when the sandbox died under it', async () => {
    row = new Row('running');
    container = 'exited';
    runner.scripts.push([
      framesAt(0, first),
      { kind: 'lost', endPosition: first.length, reason: 'sandbox_restarted' },
    ]);
    await supervisor().join(row.exec).ended;
    expect(row.exec).toMatchObject({ state: 'lost', exitCode: null, stdoutBytes: 6 });
    expect(row.exec.evidence).toMatchObject({ lastPosition: first.length, runner: 'sandbox_restarted' });
  });

  it('is oom_killed, without an exit code, when the engine saw the sandbox run out of memory', async () => {
    row = new Row('running');
    container = 'exited';
    oomKilled = true;
    runner.scripts.push([{ kind: 'lost', endPosition: 0, reason: 'sandbox_restarted' }]);
    await supervisor().join(row.exec).ended;
    expect(row.exec).toMatchObject({
      state: 'oom_killed',
      exitCode: null,
      evidence: { container: 'exited with code 137' },
    });
  });

  it('waits for a paused container, however long it takes', async () => {
    container = 'paused';
    const one = supervisor();
    const supervision = one.join(row.exec);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(row.exec.state).toBe('starting');
    container = 'running';
    runner.scripts.push([framesAt(0, first), framesAt(first.length, second), END]);
    await supervision.ended;
    expect(row.exec).toMatchObject({ state: 'failed', exitCode: 3 });
  });

  it('was not started when the sandbox died before its runner had claimed it', async () => {
    container = 'exited';
    runner.statusState = 'unknown';
    await supervisor().join(row.exec).ended;
    expect(row.exec).toMatchObject({ state: 'not_started', exitCode: null });
    expect(runner.starts).toEqual([]);
  });

  it('is canceled when a tombstone was there before the start', async () => {
    runner.startState = 'canceled';
    await supervisor().join(row.exec).ended;
    expect(row.exec).toMatchObject({ state: 'canceled', exitCode: null });
  });

  it('was not started when the runner refuses the request itself', async () => {
    runner.startRefusal = new DomainError('bad_request', 'argv is too long');
    await supervisor().join(row.exec).ended;
    expect(row.exec).toMatchObject({ state: 'not_started', failure: { message: 'argv is too long' } });
  });

  it('is lost, never invented, when the sandbox forges its frames', async () => {
    runner.scripts.push([framesAt(0, frame(5, 'gap'))]);
    await supervisor().join(row.exec).ended;
    expect(row.exec).toMatchObject({ state: 'lost', exitCode: null, evidence: { runner: 'spool_corrupt' } });
  });

  it('is lost when the spool no longer has what follows, as after a power cut', async () => {
    runner.scripts.push([framesAt(0, first), unreachable()]);
    runner.scripts.push([new DomainError('position_invalid', 'position 29 is beyond the end, 0')]);
    await supervisor().join(row.exec).ended;
    expect(row.exec).toMatchObject({
      state: 'lost',
      exitCode: null,
      evidence: { runner: 'position_invalid' },
    });
    expect(row.exec.committedPosition).toBe(first.length);
  });

  it('is lost when the exit record is about other output', async () => {
    runner.scripts.push([framesAt(0, first), END]);
    await supervisor().join(row.exec).ended;
    expect(row.exec).toMatchObject({ state: 'lost', exitCode: null, exitRecord: null });
  });

  it('reaches its runner again when something else spoke on the channel', async () => {
    const broken = new DomainError('runner_protocol', 'A message of 1953066341 bytes.');
    runner.scripts.push([broken], [broken], [broken], [framesAt(0, first), broken], [broken]);
    runner.scripts.push([framesAt(first.length, second), END]);
    await supervisor().join(row.exec).ended;
    expect(row.exec).toMatchObject({ state: 'failed', exitCode: 3, stdoutBytes: 11 });
  });

  it('is lost when the protocol is broken each time', async () => {
    const broken = new DomainError('runner_protocol', 'A message of 4294967295 bytes.');
    runner.scripts.push([broken], [broken], [broken], [broken]);
    await supervisor().join(row.exec).ended;
    expect(row.exec).toMatchObject({ state: 'lost', evidence: { runner: 'runner_protocol' } });
  });

  it('detaches without an end when the worker stops', async () => {
    runner.scripts.push([framesAt(0, first), unreachable()]);
    const one = supervisor();
    const supervision = one.join(row.exec);
    await Promise.all([one.detachAll(), expect(supervision.ended).rejects.toThrow('shutting down')]);
    expect(isTerminal(EXEC_TRANSITIONS, row.exec.state)).toBe(false);
  });
});
