/**
 * The only door to the Workflows for clients: names, ids, Task Queues, messages, inputs and search attributes. It holds
 * no behaviour, so that the API and the CLI can import it without loading Workflow code.
 */
import {
  limits,
  type Bulk,
  type BulkControl,
  type BulkId,
  type Correction,
  type Exec,
  type ExecId,
  type HostId,
  type Operation,
  type OperationId,
  type OperationKind,
  type OperationOptions,
  type OwnerId,
  type SandboxId,
  type TakenOver,
  type TenantId,
} from '#domain';

export const CONTROL_TASK_QUEUE = 'control';
export const hostTaskQueue = (hostId: string): string => `host.${hostId}`;
/** Day-long follows have a queue of their own, so that they never take the slots of a lifecycle step. */
export const hostExecTaskQueue = (hostId: string): string => `host.${hostId}.exec`;

export const EXEC_WORKFLOW = 'exec';
export const OPERATION_WORKFLOWS: Readonly<Record<OperationKind, string>> = {
  start: 'startSandbox',
  stop: 'stopSandbox',
  restart: 'restartSandbox',
  delete: 'deleteSandbox',
  git_clone: 'gitClone',
  git_commit: 'gitCommit',
  git_push: 'gitPush',
  git_pull: 'gitPull',
  git_commit_and_push: 'gitCommitAndPush',
  git_pull_request: 'gitPullRequest',
  snapshot: 'snapshotSandbox',
  restore: 'restoreSandbox',
  change: 'changeSandbox',
};
export const BULK_WORKFLOW = 'bulkOperation';
export const SWEEP_WORKFLOW = 'sweep';
export const RECONCILE_WORKFLOW = 'reconcile';
export const SEAL_WORKFLOW = 'seal';
export const RETENTION_WORKFLOW = 'retention';

export const execWorkflowId = (id: string): string => `exec:${id}`;
export const operationWorkflowId = (id: string): string => `operation:${id}`;
export const bulkWorkflowId = (id: string): string => `bulk:${id}`;
export const SWEEP_SCHEDULE_ID = 'sweep';
export const RECONCILE_SCHEDULE_ID = 'reconcile';
export const SEAL_SCHEDULE_ID = 'seal';
export const RETENTION_SCHEDULE_ID = 'retention';

export interface ExecInput {
  readonly execId: ExecId;
  readonly tenantId: TenantId;
  readonly ownerId: OwnerId;
  readonly sandboxId: SandboxId;
  readonly hostId: HostId;
  /** Milliseconds since the Unix epoch: when an exec that still waits is given up as `not_started`. */
  readonly queueDeadlineMs: number;
  readonly timeoutSeconds: number;
  /** Milliseconds by which a clock may jump before the run gives the exec up. Absent in runs from before there was a slack. */
  readonly clockSlackMs?: number;
  /** Absent in runs from before a run looked at its exec first. */
  readonly looksFirst?: true;
}

/** The input of the run of a row. */
export function execInput(exec: Exec): ExecInput {
  const { id, tenantId, ownerId, sandboxId, hostId, createdAt, request } = exec;
  return {
    execId: id,
    tenantId,
    ownerId,
    sandboxId,
    hostId,
    queueDeadlineMs: Date.parse(createdAt) + request.queueTimeoutSeconds * 1_000,
    timeoutSeconds: request.timeoutSeconds,
    clockSlackMs: limits.CLOCK_JUMP_MS_MAX,
    looksFirst: true,
  };
}

export interface ExecResult {
  readonly state: string;
  readonly exitCode: number | null;
}

export interface OperationInput {
  readonly operationId: OperationId;
  readonly tenantId: TenantId;
  readonly ownerId: OwnerId;
  readonly sandboxId: SandboxId;
  readonly hostId: HostId;
  /** The three below are absent in runs that began before there were others than starts. */
  readonly options?: OperationOptions;
  /** By default true: a step that fails for good parks the run. */
  readonly parks?: boolean;
  readonly tookOver?: TakenOver | null;
  /** How long a park waits for a decision. By default PARK_DEADLINE_MS. */
  readonly parkDeadlineMs?: number;
}

/** The input of the run of a row. */
export function operationInput(operation: Operation): OperationInput {
  const { id, tenantId, ownerId, sandboxId, hostId, parks, tookOver } = operation;
  // What is done with a repository is read from the row: a message of a commit is nothing for the history of a run.
  const { git: _onTheRow, ...options } = operation.options;
  return { operationId: id, tenantId, ownerId, sandboxId, hostId, options, parks, tookOver };
}

export interface OperationResult {
  readonly state: string;
}

export interface BulkInput {
  readonly bulkId: BulkId;
  readonly tenantId: TenantId;
  /** For people: what it does. */
  readonly action: Bulk['work']['action'];
  /** It is continued as a new run after so many items. A run keeps its own number, whatever later code says. */
  readonly pageItems: number;
  /** Of a run that goes on where another one ended: what that one was told and had not looked at, and the last pause that it saw. */
  readonly rest?: { readonly controls: readonly BulkControl[]; readonly pauseNo: number };
}

export interface BulkResult {
  readonly state: string;
}

/** What a signal of a bulk operation says, as far as it says anything; it comes from outside and past our API. */
export interface BulkSignal {
  readonly pauseNo?: number;
  readonly round?: number;
  readonly sandboxIds?: readonly string[];
}

/** Decides a parked run. It counts only while the run is parked at this step with this number. */
export interface ParkDecision {
  readonly step: string;
  readonly parkNo: number;
  /** With `retry`: what the step is given instead. A signal whose input makes no sense has no effect at all. */
  readonly input?: Correction;
}

export const WAKE_SIGNAL = 'wake';
export const CANCEL_SIGNAL = 'cancel';
export const RETRY_SIGNAL = 'retry';
export const ABORT_SIGNAL = 'abort';
export const PAUSE_SIGNAL = 'pause';
export const RESUME_SIGNAL = 'resume';
export const RETRY_FAILED_SIGNAL = 'retry_failed';

/** Keyword search attributes of the namespace. The launcher and the compose file create the same list. */
export const SEARCH_ATTRIBUTES = [
  'TenantId',
  'OwnerId',
  'SandboxId',
  'HostId',
  'OpKind',
  'OpState',
  'ParkedStep',
  'ParkReason',
  'BulkId',
] as const;
export type SearchAttribute = (typeof SEARCH_ATTRIBUTES)[number];
export {
  attributesOf,
  BULK_ID,
  HOST_ID,
  OP_KIND,
  OP_STATE,
  OWNER_ID,
  PARK_REASON,
  PARKED_STEP,
  SANDBOX_ID,
  summaryOf,
  TENANT_ID,
} from './attributes.js';
