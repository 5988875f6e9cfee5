import { describe, expect, it } from '@jest/globals';
import { endFromExitRecord, lostEnd, notStartedEnd, type ExitReason } from './index.js';
import { exitRecordOf } from '../../../test/fakes/exit-record.js';

describe('the end that an exit record proves', () => {
  it.each<[ExitReason, number | null, string | null, string]>([
    ['exited', 0, null, 'succeeded'],
    ['exited', 3, null, 'failed'],
    ['exited', null, 'SIGSEGV', 'failed'],
    ['sandbox_stopped', null, 'SIGTERM', 'failed'],
    ['timed_out', null, 'SIGKILL', 'timed_out'],
    ['idle_timed_out', null, 'SIGTERM', 'timed_out'],
    ['canceled', null, 'SIGTERM', 'canceled'],
    ['output_limited', null, 'SIGKILL', 'output_limited'],
    ['oom_killed', null, 'SIGKILL', 'oom_killed'],
    ['start_failed', 127, null, 'not_started'],
  ])('%s with code %p and signal %p is %s', (reason, exitCode, signal, state) => {
    expect(endFromExitRecord(exitRecordOf({ reason, exitCode, signal })).state).toBe(state);
  });

  it('carries code and signal unchanged', () => {
    expect(endFromExitRecord(exitRecordOf({ exitCode: 42 }))).toMatchObject({ exitCode: 42, signal: null });
  });

  it('says why a command could not be started, and gives it no exit code', () => {
    const startFailure = { code: 'command_not_found' as const, message: 'nope: no such program' };
    expect(
      endFromExitRecord(exitRecordOf({ reason: 'start_failed', exitCode: 127, startFailure })),
    ).toMatchObject({
      exitCode: null,
      failure: { code: 'command_not_found', message: 'nope: no such program' },
    });
  });
});

describe('an end without an exit record', () => {
  it('never has an exit code', () => {
    const evidence = { lastPosition: 7, container: null, runner: 'silent', note: 'no answer' };
    for (const end of [lostEnd(evidence), notStartedEnd({ code: 'internal', message: 'x' })]) {
      expect(end).toMatchObject({ exitCode: null, signal: null, exitRecord: null });
    }
  });

  it('keeps what is known when it is lost', () => {
    const evidence = { lastPosition: 7, container: 'exited', runner: 'silent', note: 'no answer' };
    expect(lostEnd(evidence)).toMatchObject({ state: 'lost', evidence });
  });
});
