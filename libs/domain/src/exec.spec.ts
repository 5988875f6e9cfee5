import { describe, expect, it } from '@jest/globals';
import { endFromExitRecord, lostEnd, notStartedEnd, type ExitReason, type ExitRecord } from './index.js';

function record(change: Partial<ExitRecord>): ExitRecord {
  return {
    execId: '0190b0a0-0000-7000-8000-000000000000',
    protocol: 1,
    exitCode: 0,
    signal: null,
    reason: 'exited',
    startedAt: '2026-01-01T00:00:00.000000Z',
    finishedAt: '2026-01-01T00:00:01.000000Z',
    wallMs: 1_000,
    stdoutBytes: 0,
    stderrBytes: 0,
    stdoutSha256: '',
    stderrSha256: '',
    endPosition: 0,
    descendantsKilled: 0,
    descendantsLeft: 0,
    oomKills: 0,
    outputHeldOpen: false,
    selfReported: false,
    usage: { userMs: 0, systemMs: 0, maxRssBytes: 0 },
    ...change,
  };
}

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
    expect(endFromExitRecord(record({ reason, exitCode, signal })).state).toBe(state);
  });

  it('carries code and signal unchanged', () => {
    expect(endFromExitRecord(record({ exitCode: 42 }))).toMatchObject({ exitCode: 42, signal: null });
  });

  it('says why a command could not be started, and gives it no exit code', () => {
    const startFailure = { code: 'command_not_found' as const, message: 'nope: no such program' };
    expect(endFromExitRecord(record({ reason: 'start_failed', exitCode: 127, startFailure }))).toMatchObject({
      exitCode: null,
      failure: { message: 'nope: no such program' },
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
