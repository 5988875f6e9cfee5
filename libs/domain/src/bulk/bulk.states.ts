import type { ActionTable, TransitionTable } from '../states.js';

/**
 * `paused`: nothing more begins until somebody resumes or cancels it. `canceling`: what has begun ends by itself. `failed`:
 * every item has ended, and not each of them well; those can be begun anew.
 */
export type BulkState = 'pending' | 'running' | 'paused' | 'canceling' | 'succeeded' | 'failed' | 'canceled';

export const BULK_TRANSITIONS: TransitionTable<BulkState> = {
  pending: ['running', 'paused', 'canceling', 'canceled'],
  running: ['paused', 'canceling', 'succeeded', 'failed'],
  paused: ['running', 'canceling'],
  canceling: ['canceled'],
  succeeded: [],
  failed: ['running'],
  canceled: [],
};

/** What may be told to a bulk operation. */
export type BulkControlName = 'pause' | 'resume' | 'cancel' | 'retry_failed';

export const BULK_CONTROLS: ActionTable<BulkState, BulkControlName> = {
  pending: ['pause', 'cancel'],
  running: ['pause', 'cancel', 'retry_failed'],
  paused: ['resume', 'cancel', 'retry_failed'],
  canceling: [],
  succeeded: [],
  failed: ['retry_failed'],
  canceled: [],
};

/** Nothing of it is under way. One that `failed` has ended and can go on all the same. */
export const BULK_HAS_ENDED: Readonly<Record<BulkState, boolean>> = {
  pending: false,
  running: false,
  paused: false,
  canceling: false,
  succeeded: true,
  failed: true,
  canceled: true,
};

/** `skipped_busy`: another operation held the sandbox when its turn came. */
export type BulkItemState = 'pending' | 'running' | 'succeeded' | 'failed' | 'skipped_busy' | 'canceled';

export const BULK_ITEM_TRANSITIONS: TransitionTable<BulkItemState> = {
  pending: ['running', 'succeeded', 'failed', 'skipped_busy', 'canceled'],
  running: ['succeeded', 'failed'],
  succeeded: [],
  failed: ['pending'],
  skipped_busy: ['pending'],
  canceled: [],
};

export const BULK_ITEM_STATES = Object.keys(BULK_ITEM_TRANSITIONS) as BulkItemState[];

/** What a `retry_failed` begins anew. */
export const BULK_ITEM_RETRIABLE = BULK_ITEM_STATES.filter((state) =>
  BULK_ITEM_TRANSITIONS[state].includes('pending'),
);
