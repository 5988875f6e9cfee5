import type { Exec, ExecEnd, ExecRequest } from '../exec.js';
import type { Failure } from '../errors.js';
import type { ExecId, HostId, OperationId, OwnerId, SandboxId, TenantId, WorkspaceId } from '../ids.js';
import type { SearchWord } from '../output/search-words.js';
import type { Operation, OperationOptions, OperationOutcome, Park, StepProgress } from '../operation.js';
import type { Correction } from '../operation.correction.js';
import type { AskedOperation } from '../operation.request.js';
import type { OperationState } from '../operation.states.js';
import type { ExecState } from '../exec.states.js';
import type { Sandbox, TierName } from '../sandbox.js';
import type { Health } from '../sandbox.health.js';
import type { PlannedRestart } from '../sandbox.restarts.js';
import type { SettingsChange } from '../sandbox.settings.js';
import type { SandboxDesiredState, SandboxObservedState } from '../sandbox.states.js';

/** Every store throws DomainError `dependency_unavailable` (dependency `postgres`) when the database is away. */

export interface Page<T> {
  readonly items: readonly T[];
  /** Opaque; null on the last page. */
  readonly nextCursor: string | null;
}

/** `created`: this call made the row. `existing`: the same request had made it. A different request under the same id throws `idempotency_key_reused`. */
export interface Ensured<T> {
  readonly row: T;
  readonly created: boolean;
}

export interface NewSandbox {
  readonly id: SandboxId;
  readonly tenantId: TenantId;
  readonly ownerId: OwnerId;
  readonly name: string;
  readonly image: string;
  readonly tier: TierName;
  /** By default none. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly hostId: HostId;
  /** What is absent is the default. */
  readonly settings?: SettingsChange;
}

export interface NewOperation {
  readonly id: OperationId;
  readonly tenantId: TenantId;
  readonly ownerId: OwnerId;
  readonly sandboxId: SandboxId;
  /** `restore`: only for a sandbox that is made by this request. */
  readonly kind: 'start' | 'restore';
  readonly options?: OperationOptions;
  readonly requestHash: string;
}

/** An operation that somebody asks for by name, on a sandbox that exists. */
export interface OperationRequest extends AskedOperation {
  readonly id: OperationId;
  readonly requestHash: string;
  readonly parks: boolean;
}

export interface RequestedOperation {
  readonly sandbox: Sandbox;
  /** The run that does what was asked for; null where it is so already. */
  readonly operation: Operation | null;
  readonly created: boolean;
}

export interface NewExec {
  readonly id: ExecId;
  readonly tenantId: TenantId;
  readonly ownerId: OwnerId;
  readonly sandboxId: SandboxId;
  readonly request: ExecRequest;
  /** With `stdin` of kind `inline`. */
  readonly inlineStdin?: Uint8Array;
  readonly requestHash: string;
}

/** A start that a request needs: `operation` is the live one (ours or one that was already there), null where the sandbox runs. */
export interface SandboxWithStart {
  readonly sandbox: Sandbox;
  readonly sandboxCreated: boolean;
  readonly operation: Operation | null;
  readonly operationCreated: boolean;
}

export interface SandboxStore {
  /**
   * In one transaction: the sandbox by (tenant, owner, name), made if there is none; and a `start` operation if it does
   * not run and has no live operation. Asked twice it returns what the first call made. Throws `operation_in_progress`
   * while an operation holds the sandbox that does not end with it running.
   */
  ensureStarted(sandbox: NewSandbox, start: NewOperation): Promise<SandboxWithStart>;
  /** The same for a sandbox that exists. Throws `not_found`. */
  ensureStartedById(
    tenantId: TenantId,
    id: SandboxId,
    start: Pick<NewOperation, 'id' | 'requestHash'>,
  ): Promise<SandboxWithStart>;
  /**
   * In one transaction: what `decideRequest` says about this request, under the lock of the sandbox. A run that it takes
   * over from is canceled by compare-and-set. Throws `operation_in_progress` naming the live run, `invalid_state`,
   * `sandbox_deleted`, `not_found` and `idempotency_key_reused`. Asked twice it returns what the first call made.
   */
  requestOperation(tenantId: TenantId, id: SandboxId, request: OperationRequest): Promise<RequestedOperation>;
  /**
   * Ends an operation whose run was never started, with what its request had changed about the sandbox, in one transaction.
   * False when it has moved on.
   */
  withdrawOperation(id: OperationId, failure: Failure): Promise<boolean>;
  find(tenantId: TenantId, id: SandboxId): Promise<Sandbox | undefined>;
  findByName(tenantId: TenantId, ownerId: OwnerId, name: string): Promise<Sandbox | undefined>;
  list(
    tenantId: TenantId,
    query: {
      ownerId?: OwnerId;
      /** All of them. */
      labels?: Readonly<Record<string, string>>;
      limit: number;
      cursor?: string;
    },
  ): Promise<Page<Sandbox>>;
  /** For Activities of the system, which act by id and not for a tenant. */
  get(id: SandboxId): Promise<Sandbox>;
  listOnHost(hostId: HostId): Promise<Sandbox[]>;
  /**
   * Raises the generation for a new container. Fenced: only while `operationId` is the live operation of the sandbox.
   * Idempotent per operation: asked again by the same operation it returns the generation it had given.
   */
  raiseGeneration(id: SandboxId, operationId: OperationId): Promise<number>;
  /** Writes what an operation saw. Fenced by operation and generation; false when the fence has moved on. */
  observeByOperation(
    id: SandboxId,
    operationId: OperationId,
    seen: {
      generation: number;
      observedState: SandboxObservedState;
      containerId: string | null;
      failure: Failure | null;
      /** Absent: it stays. Only the undoing of an operation changes what its request had set. */
      desiredState?: SandboxDesiredState;
    },
  ): Promise<boolean>;
  /** Changes what the next container is made of. Fenced by the operation; false when another holds the sandbox. */
  correctByOperation(id: SandboxId, operationId: OperationId, correction: Correction): Promise<boolean>;
  /** Writes what Docker's events or a look at the engine showed; ignored while an operation is live on the sandbox. */
  observeDrift(
    id: SandboxId,
    seen: {
      generation: number;
      observedState: SandboxObservedState;
      failure: Failure | null;
      /** Absent: none is due. */
      restart?: PlannedRestart | null;
      /** Only if the row is as it was at that moment, its `updatedAt`. */
      unchangedSince?: string;
    },
  ): Promise<boolean>;
  /**
   * Changes settings. With `ifVersion` only if nobody has changed them since: throws `precondition_failed`, with `not_found`
   * and `sandbox_deleted` as elsewhere. What they decide about a sandbox that has come to an end is decided anew.
   */
  configure(tenantId: TenantId, id: SandboxId, change: SettingsChange, ifVersion?: number): Promise<Sandbox>;
  /** Running sandboxes of a host whose check is due, with nothing under way. Each is due again after its interval. */
  takeDueChecks(hostId: HostId, limit: number): Promise<Sandbox[]>;
  /**
   * Writes what a check has shown. Fenced by the generation, by the settings that it was made with, and by its holder: an
   * operation that waits for it, or nobody. False when that does not hold any more. Without `restart` what is due stays so.
   */
  recordHealth(
    id: SandboxId,
    seen: { generation: number; settingsVersion: number; health: Health; restart?: PlannedRestart | null },
    holder: OperationId | null,
  ): Promise<boolean>;
  /**
   * In one transaction: the operation that brings a sandbox up whose restart is due, counted on its row. Undefined where
   * that does not hold any more, or an operation holds it.
   */
  beginRestart(id: SandboxId, operationId: OperationId): Promise<Operation | undefined>;
  /** Forgets its restarts: somebody has looked at them. Fenced by the operation. */
  forgiveRestarts(id: SandboxId, operationId: OperationId): Promise<void>;
  /**
   * In one transaction: the stop of a sandbox without an unended exec, which takes none from that moment on. Undefined where
   * one has come, or it is held. What comes later starts it again.
   */
  beginIdleStop(id: SandboxId, operationId: OperationId): Promise<Operation | undefined>;
  /**
   * Says that sandboxes which run are used for so long from now on, by something that has no row of its own. Returns those
   * of them that run: any other one is being ended, or is down.
   */
  noteUse(ids: readonly SandboxId[], forMs: number): Promise<SandboxId[]>;
  /** Notes that the workspace has been made. Fenced by the operation; false when another holds the sandbox. */
  recordWorkspace(id: SandboxId, operationId: OperationId): Promise<boolean>;
  /** Gives a sandbox another workspace, which has been made. Fenced by the operation; false when another holds the sandbox. */
  switchWorkspace(id: SandboxId, operationId: OperationId, workspaceId: WorkspaceId | null): Promise<boolean>;
  setDesired(id: SandboxId, desired: SandboxDesiredState): Promise<void>;
}

export interface OperationStore {
  find(tenantId: TenantId, id: OperationId): Promise<Operation | undefined>;
  get(id: OperationId): Promise<Operation>;
  list(
    tenantId: TenantId,
    query: { state?: OperationState; sandboxId?: SandboxId; limit: number; cursor?: string },
  ): Promise<Page<Operation>>;
  /** Compare-and-set on the state; false when the row had already left every state in `from`. */
  move(
    id: OperationId,
    from: readonly OperationState[],
    to: OperationState,
    change?: { park?: Park | null; failure?: Failure | null },
  ): Promise<boolean>;
  /**
   * Records that an attempt of a step begins; the first step takes the operation from `pending` to `running`. Throws
   * `invalid_state` when the operation has ended and so no longer holds its sandbox.
   */
  beginStep(id: OperationId, step: string, at: string): Promise<Operation>;
  endStep(id: OperationId, step: string, at: string, failure: Failure | null): Promise<void>;
  /**
   * Writes what a run has brought about; said again it is what was said last. False when the operation has ended and so
   * no longer holds its sandbox.
   */
  recordResult(id: OperationId, result: OperationOutcome): Promise<boolean>;
  /** Notes for the sweep that these have their runs. */
  markWorkflowsStarted(ids: readonly OperationId[]): Promise<void>;
  /** Shows how far the running attempt of a step is; nothing depends on it. */
  noteProgress(id: OperationId, step: string, progress: StepProgress): Promise<void>;
  /** Changes what a git operation does from now on. False when it has ended. */
  correctGit(id: OperationId, correction: Pick<Correction, 'credentialId' | 'branch'>): Promise<boolean>;
  /** The sandboxes of a host that an operation holds which changes what they are. */
  liveSandboxes(hostId: HostId): Promise<ReadonlySet<SandboxId>>;
}

export type ClaimResult =
  | { readonly kind: 'claimed'; readonly exec: Exec }
  /** Claimed before, by whom is for the runner to say: join its supervision. */
  | { readonly kind: 'live'; readonly exec: Exec }
  | { readonly kind: 'ended'; readonly exec: Exec }
  | { readonly kind: 'wait'; readonly because: 'sandbox_not_running' | 'queue'; readonly exec: Exec };

/** One piece of committed output: whole frames, contiguous by position. */
export interface Chunk {
  readonly position: number;
  readonly endPosition: number;
  readonly stdoutFrom: number;
  readonly stdoutTo: number;
  readonly stderrFrom: number;
  readonly stderrTo: number;
  readonly frames: Uint8Array;
}

/** Everything that is given must hold. Newest first. */
export interface ExecListQuery {
  readonly sandboxId?: SandboxId;
  readonly ownerId?: OwnerId;
  readonly states?: readonly ExecState[];
  readonly labels?: Readonly<Record<string, string>>;
  /** All of them are in the command, the labels or the end of the output. */
  readonly words?: readonly SearchWord[];
  /** ISO 8601: created at this moment or later. */
  readonly createdAfter?: string;
  /** ISO 8601: created before this moment. */
  readonly createdBefore?: string;
  readonly limit: number;
  readonly cursor?: string;
}

/** What changes a row wakes the readers of `exec:{id}` after its commit. */
export interface ExecStore {
  /** Throws `queue_full` over the limit of the sandbox's tier, `sandbox_deleted`, `not_found`, `idempotency_key_reused`. */
  create(exec: NewExec): Promise<Ensured<Exec>>;
  find(tenantId: TenantId, id: ExecId): Promise<Exec | undefined>;
  get(id: ExecId): Promise<Exec>;
  list(tenantId: TenantId, query: ExecListQuery): Promise<Page<Exec>>;
  /** Places in the queues of their sandboxes, from 1; what is not queued has none. */
  queuePositions(execs: readonly Pick<Exec, 'id' | 'sandboxId'>[]): Promise<ReadonlyMap<ExecId, number>>;
  /** Empty where there is none, and when the exec has ended. */
  readInlineStdin(id: ExecId): Promise<Uint8Array>;
  /** queued → starting, if the sandbox runs on this host and it is this exec's turn. Serialised per sandbox. */
  claim(id: ExecId, hostId: HostId): Promise<ClaimResult>;
  /** starting → running. False when the row was not `starting`. */
  markRunning(id: ExecId): Promise<boolean>;
  /** Appends whole frames of an exec that runs with that, if it was `starting`, and moves the committed position from `chunk.position` in one transaction. False: another writer was there first, or the exec has ended. */
  append(id: ExecId, chunk: Chunk): Promise<boolean>;
  /** Ends the row once; false when it had ended. With an exit record the committed position must equal the record's. */
  end(id: ExecId, from: readonly ExecState[], end: ExecEnd): Promise<boolean>;
  requestCancel(id: ExecId): Promise<void>;
  /** Notes for the sweep that these have their runs; what has ended needs no note. */
  markWorkflowsStarted(ids: readonly ExecId[]): Promise<void>;
  /** Live rows (starting, running) of a host: what a starting worker adopts. */
  listLiveOnHost(hostId: HostId): Promise<Exec[]>;
  /** The live and the queued ones of a sandbox, in the order of their arrival. */
  listUnended(sandboxId: SandboxId): Promise<Exec[]>;
  /** The queued execs of a sandbox whose turn it is, at most as many as may start. */
  listStartable(sandboxId: SandboxId): Promise<ExecId[]>;
}
