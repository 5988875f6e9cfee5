import type { Failure } from '../errors.js';
import type { ExecRequest } from '../exec.js';
import type { BulkId, ExecId, HostId, OperationId, OwnerId, SandboxId, TenantId } from '../ids.js';
import type { OperationOptions } from '../operation.js';
import type { OperationKind } from '../operation.states.js';
import type { TierName } from '../sandbox.js';
import type { SandboxObservedState } from '../sandbox.states.js';
import type { BulkItemState, BulkState } from './bulk.states.js';

/** What can be done to many sandboxes. Each but `exec` is the operation of that name. */
export const BULK_ACTIONS = ['restart', 'stop', 'start', 'delete', 'snapshot', 'exec'] as const;
export type BulkAction = (typeof BULK_ACTIONS)[number];
export type BulkOperationKind = Extract<BulkAction, OperationKind>;

/** What is done to each of the sandboxes. */
export type BulkWork =
  | { readonly action: BulkOperationKind; readonly options: OperationOptions }
  | { readonly action: 'exec'; readonly request: ExecRequest; readonly ifStopped: 'start' | 'fail' };

/** Which sandboxes: those that have all of it, out of those that are not deleted. */
export interface SandboxSelector {
  readonly owner?: readonly OwnerId[];
  readonly name?: readonly string[];
  readonly tier?: readonly TierName[];
  readonly state?: readonly SandboxObservedState[];
  readonly image?: readonly string[];
  readonly host?: readonly HostId[];
  /** All of them. */
  readonly label?: Readonly<Record<string, string>>;
}

/** Frozen when the bulk operation is made: what is there later is not added, what is gone fails by itself. */
export type BulkSelection =
  | { readonly kind: 'ids'; readonly ids: readonly SandboxId[] }
  | { readonly kind: 'selector'; readonly selector: SandboxSelector };

/** Why nothing more begins. A `resume` that names another number is stale. */
export interface BulkPause {
  readonly pauseNo: number;
  /** Null where somebody asked for it. */
  readonly reason: Failure | null;
  readonly pausedAt: string;
  /** Then it is canceled by itself. */
  readonly deadlineAt: string;
}

export type BulkCounts = Readonly<Record<BulkItemState, number>>;

export interface Bulk {
  readonly id: BulkId;
  readonly tenantId: TenantId;
  /** The owner of all of its sandboxes; null where they are of several, or none. */
  readonly ownerId: OwnerId | null;
  readonly work: BulkWork;
  readonly selector: SandboxSelector | null;
  readonly concurrencyMax: number;
  /** Between the beginnings of two items. */
  readonly delayMs: number;
  /** More failures than this since it was last resumed pause it; null: none do. */
  readonly failureBudget: number | null;
  readonly state: BulkState;
  /** Raised by each `retry_failed`: one that names another round is stale. */
  readonly round: number;
  /** How often it has been paused. */
  readonly pauseNo: number;
  readonly pause: BulkPause | null;
  /** Failed items that its budget does not count, because somebody resumed it in spite of them. */
  readonly failuresForgiven: number;
  /** Why it ended without being asked to. */
  readonly failure: Failure | null;
  readonly counts: BulkCounts;
  readonly requestHash: string;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
}

export interface BulkItem {
  /** From 1, in the order in which they begin. */
  readonly number: number;
  readonly sandboxId: SandboxId;
  readonly ownerId: OwnerId;
  readonly state: BulkItemState;
  /** The step that its operation is at, or the state of its exec; null before it has begun. */
  readonly phase: string | null;
  readonly attempts: number;
  readonly failure: Failure | null;
  /** What its last attempt made: the operation, or the exec. */
  readonly operationId: OperationId | null;
  readonly execId: ExecId | null;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
}
