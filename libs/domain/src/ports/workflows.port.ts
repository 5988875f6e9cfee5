import type { Bulk } from '../bulk/bulk.js';
import type { Exec } from '../exec.js';
import type { BulkId, ExecId, OperationId } from '../ids.js';
import type { Correction } from '../operation.correction.js';
import type { Operation } from '../operation.js';

/** The door to the durable runs. Throws `dependency_unavailable` (temporal) when the server does not answer in time. */
export interface WorkflowStarter {
  /** Whether a start is all but sure to succeed, as far as is known without asking. */
  readonly isAnswering: boolean;
  /**
   * Starts the run of a row; a run under that id that exists already is success. The run exists at once, and does its
   * first work after `firstTaskAfterMs`, so that it is not in the way of an exec that ends sooner.
   */
  startExec(exec: Exec, firstTaskAfterMs?: number): Promise<void>;
  startOperation(operation: Operation): Promise<void>;
  /** Wakes the run of a bulk operation, or starts one: the row is all that it goes by, so any number may follow each other. */
  wakeBulk(bulk: Bulk): Promise<void>;
  /** For a live row whose run is gone: a new run under the same id that ends what is left of it. */
  cancelExecAnew(exec: Exec): Promise<void>;
}

export interface WorkflowSignaller {
  /** Tells a queued exec that its turn may have come. A run that has ended is ignored. */
  wakeExec(id: ExecId): Promise<void>;
  cancelExec(id: ExecId): Promise<void>;
  retryOperation(
    id: OperationId,
    decision: { step: string; parkNo: number; input?: Correction },
  ): Promise<void>;
  /** For a git operation that runs. What it has begun is undone; a run that has ended is ignored. */
  cancelOperation(id: OperationId): Promise<void>;
  abortOperation(id: OperationId, decision: { step: string; parkNo: number }): Promise<void>;
}

export interface WorkflowInspector {
  /** `missing`: no such run (never started, or removed by retention). */
  execRun(id: ExecId): Promise<RunState>;
  operationRun(id: OperationId): Promise<RunState>;
  bulkRun(id: BulkId): Promise<RunState>;
}

export type RunState = 'running' | 'closed' | 'terminated' | 'missing';
