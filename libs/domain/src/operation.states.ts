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

export type OperationAction = 'retry' | 'abort';

export const OPERATION_ACTIONS: ActionTable<OperationState, OperationAction> = {
  pending: [],
  running: [],
  parked: ['retry', 'abort'],
  succeeded: [],
  failed: [],
  canceled: [],
};

export const OPERATION_KINDS = ['start', 'stop', 'restart', 'delete'] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];
