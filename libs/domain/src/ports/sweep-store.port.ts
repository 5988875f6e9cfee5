import type { Exec } from '../exec.js';
import type { ExecId, OperationId, SandboxId, TenantId } from '../ids.js';
import type { Operation } from '../operation.js';

/** Rows that the sweep must look at, see 2-architecture: row first, then Workflow. */
export interface SweepStore {
  listUnstarted(olderThanMs: number, limit: number): Promise<SweepRow[]>;
  /** Live rows whose Workflow was started long enough ago to be verified; least recently verified first. Marks them as verified. */
  takeUnverified(olderThanMs: number, limit: number): Promise<SweepRow[]>;
  /**
   * Live execs that somebody wanted canceled longer ago than that, so that the signal may have been lost. Marks them as
   * verified, and returns each again only after `againAfterMs`.
   */
  takeCanceling(olderThanMs: number, againAfterMs: number, limit: number): Promise<Exec[]>;
  /**
   * Sandboxes that should run, do not, and have an exec waiting for longer than that, with nothing under way: the container
   * ended after the exec was taken. One whose start has failed since then is left to people.
   */
  listStranded(olderThanMs: number, limit: number): Promise<StrandedSandbox[]>;
  /** Sandboxes whose restart is due, with nothing under way. */
  listRestartable(limit: number): Promise<SandboxId[]>;
  /** Sandboxes that nobody has used for as long as their settings say, of those that are due for a look. Marks when to look again. */
  takeIdle(limit: number): Promise<SandboxId[]>;
  /** Forgets Idempotency-Keys that nobody repeats any more. Returns how many. */
  forgetKeys(olderThanMs: number, limit: number): Promise<number>;
}

export interface StrandedSandbox {
  readonly id: SandboxId;
  readonly tenantId: TenantId;
}

export type SweepRow =
  | { readonly kind: 'exec'; readonly id: ExecId; readonly exec: Exec }
  | { readonly kind: 'operation'; readonly id: OperationId; readonly operation: Operation };
