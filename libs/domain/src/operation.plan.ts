import type { OperationOptions } from './operation.js';
import type { OperationKind } from './operation.states.js';

/** What undoes a step when its run is given up. Each of them is safe to repeat, and to do where there is nothing to undo. */
export type Undo =
  /** The container of the operation's generation goes; what ran in it is ended by its runner. */
  | 'discard_container'
  /** Writes what the engine shows, lets the queue go on where the sandbox runs, and makes the owner's wish agree with it. */
  | 'observe_container'
  /** What still works for the operation in the sandbox is ended, and what it has not finished there goes. */
  | 'discard_git';

interface Planned {
  readonly step: string;
  readonly undo: Undo | null;
}

/** Only where nobody asked for it. */
const GUARD = { step: 'check_restarts', undo: null } as const satisfies Planned;

const HOLD = { step: 'hold_queue', undo: 'observe_container' } as const satisfies Planned;

/** Ends what runs in a sandbox that is held. After the drain no byte of output is in the spool alone. */
const ENDING = [
  { step: 'await_execs', undo: null },
  { step: 'stop_container', undo: null },
  { step: 'drain_execs', undo: null },
] as const satisfies readonly Planned[];

/** Brings a container of a new generation up. */
const STARTING = [
  { step: 'prepare_storage', undo: 'observe_container' },
  { step: 'create_container', undo: 'discard_container' },
  { step: 'start_container', undo: null },
  { step: 'await_runner', undo: null },
  { step: 'await_health', undo: null },
  { step: 'open_queue', undo: null },
] as const satisfies readonly Planned[];

/** From here on a delete only goes forward: what is gone is not brought back. */
const REMOVING = [
  { step: 'remove_containers', undo: null },
  { step: 'remove_storage', undo: null },
  { step: 'record_deleted', undo: null },
] as const satisfies readonly Planned[];

/** Ends a git operation; the credential that came with its request goes with it. */
const RECORD_GIT = { step: 'record_git', undo: null } as const satisfies Planned;
const COMMIT = { step: 'commit_changes', undo: 'discard_git' } as const satisfies Planned;
/** A commit stays when its push is given up. */
const PUSH = { step: 'push_branch', undo: 'discard_git' } as const satisfies Planned;

/**
 * The steps of each operation in order, each beside what undoes it. The Workflows run these lists, the rows and the UI show
 * them. A run that is given up undoes the steps that it began, the last one first.
 */
export const OPERATION_PLANS = {
  start: [GUARD, ...STARTING],
  stop: [HOLD, ...ENDING, { step: 'record_stopped', undo: null }],
  restart: [GUARD, HOLD, ...ENDING, ...STARTING],
  delete: [HOLD, { step: 'withdraw_execs', undo: null }, ...ENDING, ...REMOVING],
  git_clone: [{ step: 'clone_repository', undo: 'discard_git' }, RECORD_GIT],
  git_commit: [COMMIT, RECORD_GIT],
  git_push: [PUSH, RECORD_GIT],
  git_pull: [{ step: 'pull_branch', undo: 'discard_git' }, RECORD_GIT],
  git_commit_and_push: [COMMIT, PUSH, RECORD_GIT],
  git_pull_request: [{ step: 'open_pull_request', undo: 'discard_git' }, RECORD_GIT],
} as const satisfies Readonly<Record<OperationKind, readonly Planned[]>>;

export type StepName = (typeof OPERATION_PLANS)[OperationKind][number]['step'];

export interface PlannedStep {
  readonly step: StepName;
  readonly undo: Undo | null;
}

/** The steps of one run: those of its kind, without what its request has no use for. */
export function planOperation(kind: OperationKind, options: OperationOptions): PlannedStep[] {
  const plan: readonly PlannedStep[] = OPERATION_PLANS[kind];
  return plan.filter(({ step }) => {
    if (step === 'await_execs') return options.running === 'wait';
    if (step === 'await_health') return options.awaitsHealth === true;
    return step !== 'check_restarts' || isRestart(options.because);
  });
}

function isRestart(because: OperationOptions['because']): boolean {
  return because !== undefined && because !== 'idle';
}

/** What is left to undo after `begun` steps, the first one first. The same undo is done once, as late as it is needed. */
export function undosOf(plan: readonly PlannedStep[], begun: number): Undo[] {
  const undos = plan.slice(0, begun).flatMap(({ undo }) => (undo === null ? [] : [undo]));
  return [...new Set(undos)].toReversed();
}
