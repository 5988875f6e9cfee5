import type { ActionTable, TransitionTable } from './states.js';

/** What the owner wants. Only requests and operations write it. */
export type SandboxDesiredState = 'running' | 'stopped' | 'deleted';

/**
 * What was last seen. `none`: no container has been made yet. `missing`: a container was there and is gone without an
 * operation of ours. `degraded`: the container runs and its runner does not answer.
 */
export type SandboxObservedState =
  'none' | 'starting' | 'running' | 'degraded' | 'stopped' | 'missing' | 'deleted';

/** Observation may jump (someone used Docker by hand), so only `deleted` is closed. */
export const SANDBOX_TRANSITIONS: TransitionTable<SandboxObservedState> = {
  none: ['starting', 'deleted'],
  starting: ['running', 'degraded', 'stopped', 'missing', 'deleted'],
  running: ['starting', 'degraded', 'stopped', 'missing', 'deleted'],
  degraded: ['starting', 'running', 'stopped', 'missing', 'deleted'],
  stopped: ['starting', 'running', 'missing', 'deleted'],
  missing: ['starting', 'running', 'stopped', 'deleted'],
  deleted: [],
};

export type SandboxAction = 'start' | 'exec';

/** `exec` is allowed wherever a start would make it possible: the exec waits in `queued` meanwhile. */
export const SANDBOX_ACTIONS: ActionTable<SandboxObservedState, SandboxAction> = {
  none: ['start', 'exec'],
  starting: ['exec'],
  running: ['exec'],
  degraded: ['exec'],
  stopped: ['start', 'exec'],
  missing: ['start', 'exec'],
  deleted: [],
};
