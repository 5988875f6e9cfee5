import type { Failure } from '../errors.js';
import type { ExecState } from '../exec.states.js';
import { BULK_ITEMS_MAX, PARK_DEADLINE_MS } from '../limits.js';
import type { OperationState } from '../operation.states.js';
import { parseSandboxId, type SandboxId } from '../ids.js';
import type { Bulk, BulkCounts } from './bulk.js';
import { BULK_CONTROLS, BULK_HAS_ENDED, type BulkItemState, type BulkState } from './bulk.states.js';

export type BulkControl = AskedControl & {
  /** Of a signal: it has an effect once, however often it is told to the rows. */
  readonly id?: string;
};

type AskedControl =
  | { readonly control: 'pause'; readonly reason?: Failure }
  /** With a number: only if it is this pause. */
  | { readonly control: 'resume'; readonly pauseNo?: number }
  | { readonly control: 'cancel'; readonly reason?: Failure }
  /** All that failed or were skipped, or those of them that are named. */
  | { readonly control: 'retry_failed'; readonly round: number; readonly sandboxIds?: readonly SandboxId[] };

/** `so_already`: somebody asked for it before. `stale`: it was meant for another pause or round. */
export type ControlDecision = 'apply' | 'so_already' | 'stale' | 'refused';

/**
 * What a signal says, which comes from outside and past our API. Undefined where it makes no sense: then it has no effect.
 * A `resume` that names no pause means the one that was seen when it came.
 */
export function controlOf(
  control: BulkControl['control'],
  given: unknown,
  seen: Pick<Bulk, 'pauseNo'>,
): BulkControl | undefined {
  const { pauseNo, round, sandboxIds } = (given ?? {}) as Readonly<Record<string, unknown>>;
  switch (control) {
    case 'pause':
    case 'cancel':
      return { control };
    case 'resume':
      if (pauseNo === undefined) return { control, pauseNo: seen.pauseNo };
      return typeof pauseNo === 'number' ? { control, pauseNo } : undefined;
    case 'retry_failed': {
      const ids = sandboxIds === undefined ? undefined : idsOf(sandboxIds);
      if (typeof round !== 'number' || (sandboxIds !== undefined && ids === undefined)) return undefined;
      return { control, round, ...(ids ? { sandboxIds: ids } : {}) };
    }
  }
}

function idsOf(given: unknown): SandboxId[] | undefined {
  if (!Array.isArray(given) || given.length > BULK_ITEMS_MAX) return undefined;
  const ids = given.flatMap((id) => (typeof id === 'string' ? (parseSandboxId(id) ?? []) : []));
  return ids.length === given.length ? ids : undefined;
}

type Controlled = Pick<Bulk, 'state' | 'round' | 'pauseNo'>;

export function decideControl({ state, round, pauseNo }: Controlled, asked: BulkControl): ControlDecision {
  if (asked.control === 'resume' && (asked.pauseNo ?? pauseNo) !== pauseNo) return 'stale';
  if (asked.control === 'retry_failed' && asked.round !== round) return 'stale';
  if (BULK_CONTROLS[state].includes(asked.control)) return 'apply';
  return SO_ALREADY[asked.control].includes(state) ? 'so_already' : 'refused';
}

const SO_ALREADY: Readonly<Record<BulkControl['control'], readonly BulkState[]>> = {
  pause: ['paused'],
  resume: ['running'],
  cancel: ['canceling', 'canceled'],
  retry_failed: [],
};

/** Its state and its pause from then on. A retry leaves a pause as it is: it is for `resume` to end. */
export function controlled(
  bulk: Pick<Bulk, 'state' | 'pauseNo' | 'pause'>,
  asked: BulkControl,
  nowMs: number,
): Pick<Bulk, 'state' | 'pauseNo' | 'pause'> {
  const { pauseNo } = bulk;
  switch (asked.control) {
    case 'pause':
      return { state: 'paused', pauseNo: pauseNo + 1, pause: pauseAt(pauseNo + 1, asked.reason, nowMs) };
    case 'resume':
      return { state: 'running', pauseNo, pause: null };
    case 'cancel':
      return { state: 'canceling', pauseNo, pause: null };
    case 'retry_failed':
      return bulk.state === 'paused' ? bulk : { state: 'running', pauseNo, pause: null };
  }
}

function pauseAt(pauseNo: number, reason: Failure | undefined, nowMs: number): Bulk['pause'] {
  return {
    pauseNo,
    reason: reason ?? null,
    pausedAt: new Date(nowMs).toISOString(),
    deadlineAt: new Date(nowMs + PARK_DEADLINE_MS).toISOString(),
  };
}

/** What the system itself tells a bulk operation after a look at it: to pause over its budget, to give up a pause that nobody ended. */
export function ownControl(bulk: Bulk, nowMs: number): BulkControl | undefined {
  if (bulk.pause !== null && nowMs >= Date.parse(bulk.pause.deadlineAt)) {
    const message = 'It was paused for seven days, and nobody resumed it.';
    return { control: 'cancel', reason: { code: 'invalid_state', message } };
  }
  const { failureBudget, failuresForgiven, counts } = bulk;
  const counted = counts.failed - failuresForgiven;
  if (bulk.state !== 'running' || failureBudget === null || counted <= failureBudget) return undefined;
  // With nothing left to begin there is nothing to protect.
  if (counts.pending === 0) return undefined;
  const message = `${counted} items have failed, and its budget is ${failureBudget}.`;
  return { control: 'pause', reason: { code: 'failure_budget_spent', message } };
}

/** How a bulk operation ends of which nothing is left to do; undefined while something is. */
export function endOfBulk(state: BulkState, counts: BulkCounts): BulkState | undefined {
  if (BULK_HAS_ENDED[state] || counts.running > 0) return undefined;
  if (state === 'canceling') return 'canceled';
  if (state !== 'running' || counts.pending > 0) return undefined;
  return counts.failed + counts.skipped_busy > 0 ? 'failed' : 'succeeded';
}

type Ended<State extends string, Live extends string> = Readonly<
  Record<Exclude<State, Live>, Extract<BulkItemState, 'succeeded' | 'failed'>>
>;

/** How an item ends with its operation, which is its own and never parks. */
export const ITEM_AFTER_OPERATION: Ended<OperationState, 'pending' | 'running' | 'parked'> = {
  succeeded: 'succeeded',
  failed: 'failed',
  canceled: 'failed',
};

export const ITEM_AFTER_EXEC: Ended<ExecState, 'queued' | 'starting' | 'running'> = {
  succeeded: 'succeeded',
  failed: 'failed',
  canceled: 'failed',
  timed_out: 'failed',
  output_limited: 'failed',
  oom_killed: 'failed',
  not_started: 'failed',
  lost: 'failed',
};
