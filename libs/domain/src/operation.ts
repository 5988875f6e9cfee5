import type { Failure } from './errors.js';
import type { GitProgress } from './git/git.outcome.js';
import type { GitOptions } from './git/git.request.js';
import type { HostId, OperationId, OwnerId, SandboxId, TenantId } from './ids.js';
import type { RestartCause } from './sandbox.restarts.js';
import type { OperationKind, OperationState } from './operation.states.js';

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
  readonly progress?: GitProgress;
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

/** The step list after the running attempt of `name` has said how far it is. */
export function stepProgressed(
  steps: readonly StepRecord[],
  name: string,
  progress: GitProgress,
): StepRecord[] {
  return steps.map((step) => (step.name === name && step.state === 'running' ? { ...step, progress } : step));
}
