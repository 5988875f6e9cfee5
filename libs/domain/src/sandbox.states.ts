import { GIT_KINDS, type OperationKind } from './operation.states.js';
import type { ActionTable, TransitionTable } from './states.js';

/** What the owner wants. Only requests and operations write it. */
export type SandboxDesiredState = 'running' | 'stopped' | 'deleted';

/**
 * What was last seen. `none`: no container has been made yet. `missing`: a container was there and is gone without an
 * operation of ours. `degraded`: the container runs and its runner does not answer. `stopping`: an operation ends it, and no
 * exec begins in it any more.
 */
export type SandboxObservedState =
  'none' | 'starting' | 'running' | 'degraded' | 'stopping' | 'stopped' | 'missing' | 'deleted';

/** Observation may jump (someone used Docker by hand), so only `deleted` is closed. */
export const SANDBOX_TRANSITIONS: TransitionTable<SandboxObservedState> = {
  none: ['starting', 'deleted'],
  starting: ['running', 'degraded', 'stopping', 'stopped', 'missing', 'deleted'],
  running: ['starting', 'degraded', 'stopping', 'stopped', 'missing', 'deleted'],
  degraded: ['starting', 'running', 'stopping', 'stopped', 'missing', 'deleted'],
  stopping: ['starting', 'running', 'degraded', 'stopped', 'missing', 'deleted'],
  stopped: ['starting', 'running', 'missing', 'deleted'],
  missing: ['starting', 'running', 'stopped', 'deleted'],
  deleted: [],
};

export type SandboxAction = OperationKind | 'exec';

/**
 * What may be asked for in each state, as long as no operation holds the sandbox. `exec` is allowed wherever a start would
 * make it possible: the exec waits in `queued` meanwhile. A `degraded` container may hold running commands, so nothing but
 * a restart brings it back.
 */
export const SANDBOX_ACTIONS: ActionTable<SandboxObservedState, SandboxAction> = {
  none: ['start', 'restart', 'delete', 'restore', 'change', 'exec'],
  starting: ['stop', 'restart', 'delete', 'restore', 'change', 'exec'],
  running: ['stop', 'restart', 'delete', 'snapshot', 'restore', 'change', 'exec', ...GIT_KINDS],
  degraded: ['stop', 'restart', 'delete', 'snapshot', 'restore', 'change', 'exec'],
  stopping: ['stop', 'restart', 'delete', 'restore', 'change'],
  stopped: ['start', 'restart', 'delete', 'snapshot', 'restore', 'change', 'exec'],
  missing: ['start', 'stop', 'restart', 'delete', 'snapshot', 'restore', 'change', 'exec'],
  deleted: [],
};
