import type { Exec } from '../exec.js';
import type { Failure } from '../errors.js';
import type { BulkId, TenantId } from '../ids.js';
import type { Operation } from '../operation.js';
import type { Ensured, Page } from '../ports/stores.port.js';
import type { Sandbox } from '../sandbox.js';
import type { BulkControl, ControlDecision } from './bulk.control.js';
import type { Bulk, BulkItem, BulkSelection } from './bulk.js';
import type { BulkItemState, BulkState } from './bulk.states.js';

export type NewBulk = Pick<
  Bulk,
  'id' | 'tenantId' | 'work' | 'concurrencyMax' | 'delayMs' | 'failureBudget' | 'requestHash'
> & { readonly selection: BulkSelection };

export interface SelectedSandboxes {
  /** How many there are of them. */
  readonly total: number;
  /** The first of them, in the order in which they would begin. */
  readonly sandboxes: readonly Sandbox[];
}

/** An item that is under way, with the rows whose runs do it. An exec may need a start of its sandbox. */
export interface RunningItem {
  /** Of its exec or else of its operation: another one for each attempt. */
  readonly id: string;
  readonly operation: Operation | null;
  readonly exec: Exec | null;
}

/** Bulk operations as their clients see them. Throws DomainError `dependency_unavailable` (postgres) when the database is away. */
export interface BulkStore {
  /**
   * In one transaction: the row and one item for each sandbox that is selected at this moment. Asked twice it returns what
   * the first call made. Throws `not_found` for an id that is not there, `bad_request` where too many are selected, and
   * `idempotency_key_reused`.
   */
  create(bulk: NewBulk): Promise<Ensured<Bulk>>;
  /** What `create` would select; throws as it does. */
  select(tenantId: TenantId, selection: BulkSelection, limit: number): Promise<SelectedSandboxes>;
  find(tenantId: TenantId, id: BulkId): Promise<Bulk | undefined>;
  list(tenantId: TenantId, query: { state?: BulkState; limit: number; cursor?: string }): Promise<Page<Bulk>>;
  /** In the order in which they begin. */
  items(
    id: BulkId,
    query: { state?: BulkItemState; limit: number; cursor?: string },
  ): Promise<Page<BulkItem>>;
  /**
   * In one transaction: what `decideControl` says, and what follows from it for the items: those that have not begun are
   * canceled, or those that failed begin anew. What was changed waits for the attention of the run.
   */
  control(id: BulkId, asked: BulkControl): Promise<{ bulk: Bulk; decision: ControlDecision }>;
  /** Ends one whose run was never started, until the same request comes again; false when it has moved on. */
  withdraw(id: BulkId, failure: Failure): Promise<boolean>;
}

/** What the run of a bulk operation does to its rows. */
export interface BulkRunStore extends Pick<BulkStore, 'control'> {
  /** The run has come to look at it: nothing waits for its attention any more, and what was `pending` runs. */
  attend(id: BulkId): Promise<Bulk>;
  /** Ends the items whose operation or exec has ended. Returns how many. */
  settle(id: BulkId): Promise<number>;
  /**
   * In one transaction, under the lock of the row, so that no two callers exceed its limits: the next items, each with
   * its operation or exec, or with the end that it has at once. Nothing where it does not run. `waitMs` until the next may
   * begin, where a delay is asked for.
   */
  begin(id: BulkId): Promise<{ begun: number; hasMore: boolean; waitMs: number }>;
  running(id: BulkId): Promise<RunningItem[]>;
  /** Ends it if nothing of it is left to do. Returns it as it is then. */
  finish(id: BulkId): Promise<Bulk>;
}

/** Bulk operations that the sweep must look at. */
export interface BulkSweepStore extends Pick<BulkStore, 'control'> {
  /** Those that have waited for the attention of their run for longer than that. */
  listUnattended(olderThanMs: number, limit: number): Promise<Bulk[]>;
  /** Those that have not ended and were not verified for that long; least recently verified first. Marks them as verified. */
  takeUnverified(olderThanMs: number, limit: number): Promise<Bulk[]>;
}
