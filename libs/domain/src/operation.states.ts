import type { ActionTable, TransitionTable } from './states.js';

/** `parked`: a step failed for good and the run waits for `retry` or `abort`, at most PARK_DEADLINE_MS. */
export type OperationState = 'pending' | 'running' | 'parked' | 'succeeded' | 'failed' | 'canceled';

export const OPERATION_TRANSITIONS: TransitionTable<OperationState> = {
  pending: ['running', 'failed', 'canceled'],
  running: ['parked', 'succeeded', 'failed', 'canceled'],
  parked: ['running', 'failed', 'canceled'],
  succeeded: [],
  failed: [],
  canceled: [],
};

/** `cancel` is for a git operation that runs: it holds nothing of the container, so it may be ended at any moment. */
export type OperationAction = 'retry' | 'abort' | 'cancel';

export const OPERATION_ACTIONS: ActionTable<OperationState, OperationAction> = {
  pending: [],
  running: [],
  parked: ['retry', 'abort'],
  succeeded: [],
  failed: [],
  canceled: [],
};

/** They work in a sandbox that runs, beside its execs, and change nothing about its container. */
export const GIT_KINDS = [
  'git_clone',
  'git_commit',
  'git_push',
  'git_pull',
  'git_commit_and_push',
  'git_pull_request',
] as const;
export type GitKind = (typeof GIT_KINDS)[number];

/** They are about the sandbox itself: its container, its workspace. */
export const LIFECYCLE_KINDS = [
  'start',
  'stop',
  'restart',
  'delete',
  'snapshot',
  'restore',
  'change',
] as const;

export const OPERATION_KINDS = [...LIFECYCLE_KINDS, ...GIT_KINDS] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

export function isGitKind(kind: OperationKind): kind is GitKind {
  const kinds: readonly OperationKind[] = GIT_KINDS;
  return kinds.includes(kind);
}

const GIT_ACTIONS: ActionTable<OperationState, OperationAction> = {
  ...OPERATION_ACTIONS,
  pending: ['cancel'],
  running: ['cancel'],
};

export function operationActions(kind: OperationKind, state: OperationState): readonly OperationAction[] {
  return (isGitKind(kind) ? GIT_ACTIONS : OPERATION_ACTIONS)[state];
}
