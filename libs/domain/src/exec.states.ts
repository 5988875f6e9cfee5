import type { ActionTable, TransitionTable } from './states.js';

/**
 * `queued` waits for its sandbox and its turn; `starting` has been claimed by a host and may or may not have reached
 * the runner; `running` has been acknowledged by the runner. Every other state is an end and is final.
 */
export type ExecState =
  | 'queued'
  | 'starting'
  | 'running'
  | 'succeeded'
  | 'failed'
  | 'canceled'
  | 'timed_out'
  | 'output_limited'
  | 'oom_killed'
  | 'not_started'
  | 'lost';

const ENDS_OF_A_CLAIMED_EXEC = [
  'succeeded',
  'failed',
  'canceled',
  'timed_out',
  'output_limited',
  'oom_killed',
  'not_started',
  'lost',
] as const satisfies readonly ExecState[];

/** `running` becomes `not_started` only by the runner's own record that the command could not be started. */
export const EXEC_TRANSITIONS: TransitionTable<ExecState> = {
  queued: ['starting', 'canceled', 'not_started'],
  starting: ['running', ...ENDS_OF_A_CLAIMED_EXEC],
  running: [
    'succeeded',
    'failed',
    'canceled',
    'timed_out',
    'output_limited',
    'oom_killed',
    'not_started',
    'lost',
  ],
  succeeded: [],
  failed: [],
  canceled: [],
  timed_out: [],
  output_limited: [],
  oom_killed: [],
  not_started: [],
  lost: [],
};

export type ExecAction = 'cancel' | 'read_output';

export const EXEC_ACTIONS: ActionTable<ExecState, ExecAction> = {
  queued: ['cancel', 'read_output'],
  starting: ['cancel', 'read_output'],
  running: ['cancel', 'read_output'],
  succeeded: ['read_output'],
  failed: ['read_output'],
  canceled: ['read_output'],
  timed_out: ['read_output'],
  output_limited: ['read_output'],
  oom_killed: ['read_output'],
  not_started: ['read_output'],
  lost: ['read_output'],
};
