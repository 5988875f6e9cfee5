import type { Failure } from './errors.js';
import type { GitProgress } from './git/git.outcome.js';
import type { GitOptions } from './git/git.request.js';
import type { HostId, OperationId, OwnerId, SandboxId, SnapshotId, TenantId } from './ids.js';
import type { RestartCause } from './sandbox.restarts.js';
import type { OperationKind, OperationState } from './operation.states.js';
import type { Sandbox, TierName } from './sandbox.js';

export type StepState = 'running' | 'succeeded' | 'failed';

/** One step of a run, as it is shown: when it began, when it ended, how often it was tried and why it failed. */
export interface StepRecord {
  readonly name: string;
  readonly state: StepState;
  readonly attempts: number;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly failure: Failure | null;
  /** How far the running attempt says it is. */
  readonly progress?: StepProgress;
}

export type StepProgress = GitProgress | MovedBytes;

/** Of a step that moves many of them. */
export interface MovedBytes {
  readonly bytes: number;
  /** Null where it is not known before the end. */
  readonly totalBytes: number | null;
}

/** Why a run waits, and for which signal. A decision counts only if it names this step and this number. */
export interface Park {
  readonly step: string;
  readonly parkNo: number;
  readonly failure: Failure;
  readonly parkedAt: string;
  readonly deadlineAt: string;
}

/** Why an operation began that nobody asked for. */
export type OperationCause = RestartCause | 'idle';

/** What the request of an operation may say. A member that a kind does not know is refused where it comes in. */
export interface OperationOptions {
  /** What becomes of execs that run: `end` gives them a grace, `wait` lets them finish. By default `end`. */
  readonly running?: 'end' | 'wait';
  /** With `wait`: how long. */
  readonly waitSeconds?: number;
  /** Its sandbox has a health check, and the start waits until it is well. */
  readonly awaitsHealth?: true;
  /** Absent where somebody asked for it. */
  readonly because?: OperationCause;
  /** Of the git kinds, and of all of them. */
  readonly git?: GitOptions;
  /** Of a restart: whether it begins with a snapshot. */
  readonly snapshot?: boolean;
  /** Of a restore. */
  readonly snapshotId?: SnapshotId;
  /** Of a change. */
  readonly image?: string;
  readonly tier?: TierName;
  /** Of a restore or a change: what the sandbox was when it was asked for, which is not part of the request. */
  readonly before?: SandboxBefore;
}

/** What an operation goes back to when it is given up, and whether it ends with the sandbox running. */
export interface SandboxBefore extends Pick<Sandbox, 'image' | 'tier' | 'workspaceId'> {
  readonly isWanted: boolean;
}

/** What a run has brought about, as data: at most 16 KiB of JSON, which the table of operations checks, and never a secret. */
export type OperationOutcome = Readonly<Record<string, string | number | boolean | null>>;

/** The parked run whose sandbox an operation has taken over: that run is told to give up. */
export interface TakenOver {
  readonly operationId: OperationId;
  readonly step: string;
  readonly parkNo: number;
}

export interface Operation {
  readonly id: OperationId;
  readonly tenantId: TenantId;
  readonly ownerId: OwnerId;
  readonly sandboxId: SandboxId;
  readonly hostId: HostId;
  readonly kind: OperationKind;
  readonly options: OperationOptions;
  /** False for an item of a bulk operation: a step that fails for good ends the run and frees the sandbox. */
  readonly parks: boolean;
  readonly tookOver: TakenOver | null;
  readonly state: OperationState;
  readonly steps: readonly StepRecord[];
  readonly park: Park | null;
  readonly failure: Failure | null;
  /** Null until a step has brought something about that is worth telling. */
  readonly result: OperationOutcome | null;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
}

/** The step list after `name` was begun once more at `at`. */
export function stepBegun(steps: readonly StepRecord[], name: string, at: string): StepRecord[] {
  const before = steps.find((step) => step.name === name);
  const begun: StepRecord = {
    name,
    state: 'running',
    attempts: (before?.attempts ?? 0) + 1,
    startedAt: before?.startedAt ?? at,
    finishedAt: null,
    failure: null,
  };
  return before ? steps.map((step) => (step === before ? begun : step)) : [...steps, begun];
}

/** The step list with what is known of some of them from their row. */
export function stepsKnown(steps: readonly StepRecord[], known: readonly StepRecord[]): StepRecord[] {
  const names = new Set(known.map(({ name }) => name));
  return [...steps.filter(({ name }) => !names.has(name)), ...known];
}

/** The step list after the running attempt of `name` came so far. */
export function stepProgressed(
  steps: readonly StepRecord[],
  name: string,
  progress: StepProgress,
): StepRecord[] {
  return steps.map((step) => (step.name === name && step.state === 'running' ? { ...step, progress } : step));
}

/** The step list after the running attempt of `name` ended at `at`. */
export function stepEnded(
  steps: readonly StepRecord[],
  name: string,
  at: string,
  failure: Failure | null,
): StepRecord[] {
  return steps.map((step) => (step.name === name ? endOf(step, at, failure) : step));
}

function endOf({ progress: _over, ...step }: StepRecord, at: string, failure: Failure | null): StepRecord {
  return { ...step, state: failure ? 'failed' : 'succeeded', finishedAt: at, failure };
}
