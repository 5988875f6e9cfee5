import type {
  CancelResult,
  CancelState,
  ExitReason,
  ExitRecord,
  InputResult,
  InputState,
  LostReason,
  ResizeState,
  RunnerExecState,
  RunnerExecStatus,
  SpoolBlock,
  StartFailureCode,
  StartResult,
  StartState,
} from '#domain';
import type { Answer } from './answer.js';

const START_STATES = [
  'started',
  'running',
  'finished',
  'canceled',
  'forgotten',
  'lost',
] satisfies StartState[];
const EXEC_STATES = [
  'unknown',
  'starting',
  'running',
  'finished',
  'canceled',
  'forgotten',
  'lost',
] satisfies RunnerExecState[];
const CANCEL_STATES = ['canceled', 'finished', 'never_started', 'lost'] satisfies CancelState[];
const BLOCKS = ['uncommitted_limit', 'disk_full'] satisfies SpoolBlock[];
const INPUT_STATES = ['applied', 'gap', 'full', 'closed', 'taken'] satisfies InputState[];
const RESIZE_STATES = ['resized', 'taken'] satisfies ResizeState[];
const LOST_REASONS = ['sandbox_restarted', 'supervisor_died', 'record_unreadable'] satisfies LostReason[];
const EXIT_REASONS = [
  'exited',
  'timed_out',
  'idle_timed_out',
  'canceled',
  'output_limited',
  'oom_killed',
  'sandbox_stopped',
  'start_failed',
] satisfies ExitReason[];
const START_FAILURE_CODES = [
  'command_not_found',
  'command_not_executable',
  'argument_list_too_long',
  'working_directory_invalid',
  'user_invalid',
] satisfies StartFailureCode[];

const EXIT_CODE_MAX = 255;
const SHA256 = /^[0-9a-f]{64}$/;
const SIGNAL = /^SIG[A-Z0-9]{1,12}$/;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const MESSAGE_LENGTH_MAX = 4_096;

/** Reads what the runner answers. A sandbox's root could forge any of it, so nothing passes unchecked or unbounded. */
export function startResultFrom(answer: Answer): StartResult {
  return { state: answer.oneOf('state', START_STATES), ...optionalRecord(answer) };
}

export function cancelResultFrom(answer: Answer): CancelResult {
  return {
    state: answer.oneOf('state', CANCEL_STATES),
    descendantsKilled: answer.integer('descendantsKilled'),
    hadToKill: answer.boolean('hadToKill'),
    ...optionalRecord(answer),
  };
}

export function statusFrom(answer: Answer): RunnerExecStatus {
  return {
    execId: answer.text('execId'),
    state: answer.oneOf('state', EXEC_STATES),
    firstPosition: answer.integer('firstPosition'),
    endPosition: answer.integer('endPosition'),
    ...(answer.has('pid') ? { pid: answer.integer('pid') } : {}),
    ...(answer.has('startedAt') ? { startedAt: answer.matching('startedAt', TIMESTAMP) } : {}),
    ...(answer.has('blocked') ? { blocked: answer.oneOf('blocked', BLOCKS) } : {}),
    ...(answer.has('lostReason') ? { lostReason: answer.oneOf('lostReason', LOST_REASONS) } : {}),
    ...optionalRecord(answer),
  };
}

export function inputResultFrom(answer: Answer): InputResult {
  return {
    state: answer.oneOf('state', INPUT_STATES),
    appliedTo: answer.integer('appliedTo'),
    eof: answer.boolean('eof'),
  };
}

export function resizeStateFrom(answer: Answer): ResizeState {
  return answer.oneOf('state', RESIZE_STATES);
}

export function lostReasonFrom(answer: Answer): LostReason {
  return answer.oneOf('reason', LOST_REASONS);
}

export function exitRecordFrom(answer: Answer): ExitRecord {
  const usage = answer.object('usage');
  const failure = answer.has('startFailure') ? answer.object('startFailure') : undefined;
  return {
    execId: answer.text('execId'),
    protocol: answer.integer('protocol'),
    exitCode: answer.isNull('exitCode') ? null : answer.integer('exitCode', EXIT_CODE_MAX),
    signal: answer.isNull('signal') ? null : answer.matching('signal', SIGNAL),
    reason: answer.oneOf('reason', EXIT_REASONS),
    ...(failure === undefined ? {} : { startFailure: startFailureFrom(failure) }),
    startedAt: answer.matching('startedAt', TIMESTAMP),
    finishedAt: answer.matching('finishedAt', TIMESTAMP),
    wallMs: answer.integer('wallMs'),
    stdoutBytes: answer.integer('stdoutBytes'),
    stderrBytes: answer.integer('stderrBytes'),
    stdoutSha256: answer.matching('stdoutSha256', SHA256),
    stderrSha256: answer.matching('stderrSha256', SHA256),
    endPosition: answer.integer('endPosition'),
    descendantsKilled: answer.integer('descendantsKilled'),
    descendantsLeft: answer.integer('descendantsLeft'),
    hadToKill: answer.boolean('hadToKill'),
    oomKills: answer.integer('oomKills'),
    outputHeldOpen: answer.boolean('outputHeldOpen'),
    outputTruncated: answer.boolean('outputTruncated'),
    selfReported: answer.boolean('selfReported'),
    ...(answer.has('stdinBytes') ? { stdinBytes: answer.integer('stdinBytes') } : {}),
    usage: {
      userMs: usage.integer('userMs'),
      systemMs: usage.integer('systemMs'),
      maxRssBytes: usage.integer('maxRssBytes'),
    },
  };
}

function startFailureFrom(failure: Answer): NonNullable<ExitRecord['startFailure']> {
  return {
    code: failure.oneOf('code', START_FAILURE_CODES),
    message: failure.text('message').slice(0, MESSAGE_LENGTH_MAX),
  };
}

function optionalRecord(answer: Answer): { exitRecord?: ExitRecord } {
  return answer.has('exitRecord') ? { exitRecord: exitRecordFrom(answer.object('exitRecord')) } : {};
}
