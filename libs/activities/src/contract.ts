/**
 * The Activities as the Workflows see them: one interface per Task Queue. Workflows import these types and nothing else
 * of this library.
 */
import type { ExecInput, OperationInput } from '#workflows/contract';
import type {
  BulkControl,
  BulkCounts,
  BulkId,
  BulkPause,
  BulkState,
  Correction,
  ErrorCode,
  ExecId,
  ExecState,
  HostId,
  OperationId,
  OperationKind,
  OwnerOfOutput,
  Park,
  SandboxId,
  StepName,
  StepRecord,
} from '#domain';

export interface ExecRef {
  readonly execId: ExecId;
}

export type RunExecResult =
  | { readonly kind: 'ended'; readonly state: ExecState; readonly exitCode: number | null }
  /** Not its turn yet: the Workflow waits for a wake-up and asks again. */
  | { readonly kind: 'waiting'; readonly because: 'sandbox_not_running' | 'queue' };

/** On `host.{hostId}.exec`. */
export interface ExecActivities {
  /** Claims the exec if it is its turn, joins its supervision and returns when its row has ended. Safe to repeat at any time. */
  runExec(input: ExecRef): Promise<RunExecResult>;
}

export interface StepInput {
  readonly operationId: OperationId;
  readonly sandboxId: SandboxId;
}

export interface StageInput extends StepInput {
  readonly steps: readonly StepName[];
}

/** Which step has failed, and what is known of those that were done. */
export interface StageFailureDetail {
  readonly step: StepName;
  readonly done: readonly StepRecord[];
}

export interface EndInput extends StepInput {
  readonly state: 'failed' | 'canceled';
  readonly failure: Park['failure'];
}

/** On `host.{hostId}`. */
export interface HostActivities {
  /**
   * Steps that follow each other, as each would be done alone; what has succeeded before is not done again. Returns what is
   * known of them. The first detail of a failure is a `StageFailureDetail`.
   */
  doStage(input: StageInput): Promise<StepRecord[]>;
  prepareStorage(input: StepInput): Promise<void>;
  createContainer(input: StepInput): Promise<void>;
  startContainer(input: StepInput): Promise<void>;
  awaitRunner(input: StepInput): Promise<void>;
  /** Returns when the sandbox's own check is well for the first time; fails when its time to start is over. */
  awaitHealth(input: StepInput): Promise<void>;
  endExecs(input: StepInput): Promise<void>;
  stopContainer(input: StepInput): Promise<void>;
  /** Returns when every exec of the sandbox that was claimed has ended, with its output stored. */
  drainExecs(input: StepInput): Promise<void>;
  removeContainers(input: StepInput): Promise<void>;
  removeStorage(input: StepInput): Promise<void>;
  /** Stores the workspace and reads it back; then the snapshot is ready. */
  writeSnapshot(input: StepInput): Promise<void>;
  /** Makes a workspace of the snapshot, beside the one that the sandbox has. */
  unpackSnapshot(input: StepInput): Promise<void>;
  /** Undoes a restore: the sandbox has the workspace that it had, and the other one goes. */
  revertWorkspace(input: StepInput): Promise<void>;
  /** Brings a sandbox up that was ended by an operation which is given up. */
  runAgain(input: StepInput): Promise<void>;
  /** Undoes the making of a container: of the operation's generation, and only if it was this operation that raised it. */
  discardContainer(input: StepInput): Promise<void>;
  /** Undoes a hold: writes what the engine shows, and lets the queue go on where the sandbox runs. */
  observeContainer(input: StepInput): Promise<void>;
  /** Makes rows and containers of this host agree, see reconcile.ts. */
  reconcileHost(): Promise<ReconcileResult>;
  /** Ends the process tree of a claimed exec and verifies that nothing is left. Its row is ended by `runExec`. */
  cancelExec(input: ExecRef): Promise<void>;
}

/** On `host.{hostId}`, too: what is done with a repository in a sandbox that runs. */
export interface GitActivities {
  cloneRepository(input: StepInput): Promise<void>;
  commitChanges(input: StepInput): Promise<void>;
  pushBranch(input: StepInput): Promise<void>;
  pullBranch(input: StepInput): Promise<void>;
  openPullRequest(input: StepInput): Promise<void>;
  /** Ends what still works for the operation in the sandbox, and removes what it has not finished. */
  discardGit(input: StepInput): Promise<void>;
}

export type ExecEnded = Extract<RunExecResult, { kind: 'ended' }>;

/** On `control`. */
export interface ControlActivities {
  /** Fails where a sandbox has been started again by itself too often; a retry forgets that. */
  checkRestarts(input: StepInput): Promise<void>;
  /** No exec is claimed any more. */
  holdQueue(input: StepInput): Promise<void>;
  /** Returns when no exec of the sandbox is live; fails at `untilMs`, counted from 1970 by the clock of Temporal. */
  awaitExecs(input: StepInput & { untilMs: number }): Promise<void>;
  /** Ends what waits in the queue of a sandbox that is being deleted: it never ran. */
  withdrawExecs(input: StepInput): Promise<void>;
  /** From here on the sandbox has the workspace that was unpacked for it. */
  switchWorkspace(input: StepInput): Promise<void>;
  /** From here on the sandbox has the image and the tier that were asked for. */
  applyChange(input: StepInput): Promise<void>;
  revertChange(input: StepInput): Promise<void>;
  /** Removes a snapshot that is not ready. */
  discardSnapshot(input: StepInput): Promise<void>;
  /** Of an operation that leaves the sandbox as it is. Ends the operation as `succeeded`, like the next three. */
  recordDone(input: StepInput): Promise<void>;
  /** The last steps. Each ends the operation as `succeeded`. */
  openQueue(input: StepInput): Promise<void>;
  recordStopped(input: StepInput): Promise<void>;
  recordDeleted(input: StepInput): Promise<void>;
  recordGit(input: StepInput): Promise<void>;
  /**
   * Not parked is what has ended already: another may hold the sandbox, and this run has nothing more to do. Runs of
   * earlier versions have no answer in their history.
   */
  parkOperation(input: { operationId: OperationId; park: Park }): Promise<{ isParked: boolean } | undefined>;
  /** Whether the operation still holds its sandbox; no answer as above. Also takes the correction of a retry over, before its step is tried again. */
  resumeOperation(input: StepInput & { correction?: Correction }): Promise<boolean | undefined>;
  /** Ends an operation that was given up and undone, and says so on the sandbox. */
  endOperation(input: EndInput): Promise<void>;
  /** Ends a start without undoing it: for runs that began before there was an undo. */
  endStart(input: EndInput): Promise<void>;
  /** Whether the exec has ended already. */
  lookAtExec(input: ExecRef): Promise<ExecEnded | { readonly kind: 'live' }>;
  /** Ends an exec that nobody has claimed; `live` if a host has claimed it. */
  withdrawExec(
    input: ExecRef & { as: 'canceled' | 'not_started' },
  ): Promise<ExecEnded | { readonly kind: 'live' }>;
  /** Gives a claimed exec up after its deadline: `lost`, with what is known. */
  giveUpExec(input: ExecRef & { note: string }): Promise<ExecEnded>;
  /** Those with a live lease. */
  listHosts(): Promise<HostId[]>;
  sweep(): Promise<SweepResult>;
}

export interface ReconcileResult {
  /** Sandboxes that were compared. */
  readonly looked: number;
  /** Rows that said something else. */
  readonly changed: number;
  readonly reclaimed: number;
  readonly removed: number;
  /** Containers that no row knows. */
  readonly reported: number;
}

export interface SweepResult {
  readonly started: number;
  /** Sandboxes that were started because execs waited in them, or because their policy says so. */
  readonly restarted: number;
  /** Sandboxes that were stopped because nobody used them. */
  readonly idled: number;
  readonly verified: number;
  readonly repaired: number;
  /** Cancels that were asked for again. */
  readonly canceled: number;
  /** Bulk operations. */
  readonly woken: number;
}

/** On `control`. */
export interface SealingActivities {
  /** One pass over what waits: indexes ended execs for search, and seals output. Safe to repeat and to run twice at once. */
  sealOutput(): Promise<SealResult>;
}

export interface SealResult {
  readonly indexed: number;
  readonly segments: number;
  readonly execs: number;
  readonly packs: number;
  readonly postponed: number;
  /** Why it stopped early: object storage is away or full. */
  readonly stoppedBy: ErrorCode | null;
}

/** On `control`. */
export interface RetentionActivities {
  /** One pass, from the owner after `after` on. Safe to repeat and to run twice at once. */
  applyRetention(input: { after: OwnerOfOutput | null }): Promise<RetentionResult>;
}

export interface RetentionResult {
  /** Where the next pass goes on; null: from the beginning. */
  readonly next: OwnerOfOutput | null;
  readonly expired: number;
  /** Absent in results from before there were any. */
  readonly snapshots?: number;
  readonly erased: number;
  readonly removed: number;
  readonly stoppedBy: ErrorCode | null;
}

/** On `control`. */
export interface BulkActivities {
  /**
   * All that there is to do about the rows of a bulk operation at this moment: it does what was asked of it, ends the items
   * whose work has ended, begins the next ones, and ends it when nothing is left. Safe to repeat and to run twice at once.
   */
  advanceBulk(input: AdvanceBulkInput): Promise<BulkProgress>;
}

export interface AdvanceBulkInput {
  readonly bulkId: BulkId;
  readonly controls: readonly BulkControl[];
  /** False where the run is about to be continued as a new one. */
  readonly begins: boolean;
  /** Work that the caller follows already. */
  readonly known: readonly string[];
  /** Runs that the caller has started since it last asked. */
  readonly started: StartedRuns;
}

export interface StartedRuns {
  readonly operationIds: readonly OperationId[];
  readonly execIds: readonly ExecId[];
}

/** What one item has under way, for its runs to be started. An exec may need a start of its sandbox beside it. */
export interface BulkItemWork {
  readonly id: string;
  readonly operation: { readonly kind: OperationKind; readonly input: OperationInput } | null;
  readonly exec: ExecInput | null;
}

export interface BulkProgress {
  readonly state: BulkState;
  readonly counts: BulkCounts;
  readonly round: number;
  readonly pauseNo: number;
  readonly pause: BulkPause | null;
  /** Everything that is under way, by id. */
  readonly running: readonly string[];
  /** That part of it which the caller does not follow. */
  readonly unknown: readonly BulkItemWork[];
  /** When the next item may begin, if that is not for an end to say. */
  readonly waitMs: number | null;
}
