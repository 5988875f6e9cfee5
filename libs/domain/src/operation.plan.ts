import type { OperationOptions } from './operation.js';
import type { OperationKind } from './operation.states.js';

/**
 * What undoes a step when its run is given up, in the order in which they are done. Each of them is safe to repeat, and to
 * do where there is nothing to undo.
 */
const UNDOS = [
  /** The container of the operation's generation goes; what ran in it is ended by its runner. */
  'discard_container',
  /** The sandbox has the image and the tier again that it had before. */
  'revert_change',
  /** The sandbox has the workspace again that it had before, and the new one goes. */
  'revert_workspace',
  /** A sandbox that was wanted running runs again, as it was before. */
  'run_again',
  /** A snapshot that is not ready goes with what has been stored of it. */
  'discard_snapshot',
  /** Writes what the engine shows, lets the queue go on where the sandbox runs, and makes the owner's wish agree with it. */
  'observe_container',
  /** What still works for the operation in the sandbox is ended, and what it has not finished there goes. */
  'discard_git',
] as const;

export type Undo = (typeof UNDOS)[number];

interface Planned {
  readonly step: string;
  readonly undo: Undo | null;
}

/** Only where nobody asked for it. */
const GUARD = { step: 'check_restarts', undo: null } as const satisfies Planned;

const HOLD = { step: 'hold_queue', undo: 'observe_container' } as const satisfies Planned;
const AWAIT = { step: 'await_execs', undo: null } as const satisfies Planned;
/** Before the workspace is read, so that no command is in the middle of writing it. */
const END_EXECS = { step: 'end_execs', undo: null } as const satisfies Planned;
/** After the drain no byte of output is in the spool alone. */
const DRAIN = { step: 'drain_execs', undo: null } as const satisfies Planned;
const SNAPSHOT = { step: 'write_snapshot', undo: 'discard_snapshot' } as const satisfies Planned;

/** Ends what runs in a sandbox that is held. */
const ENDING = [AWAIT, { step: 'stop_container', undo: null }, DRAIN] as const satisfies readonly Planned[];

/** The same for an operation that leaves the sandbox as it was when it is given up. */
const ENDING_FOR_NOW = [
  AWAIT,
  { step: 'stop_container', undo: 'run_again' },
  DRAIN,
] as const satisfies readonly Planned[];

const PREPARE = { step: 'prepare_storage', undo: 'observe_container' } as const satisfies Planned;

const RUN = [
  { step: 'create_container', undo: 'discard_container' },
  { step: 'start_container', undo: null },
  { step: 'await_runner', undo: null },
  { step: 'await_health', undo: null },
  { step: 'open_queue', undo: null },
] as const satisfies readonly Planned[];

/** Brings a container of a new generation up. */
const STARTING = [PREPARE, ...RUN] as const satisfies readonly Planned[];

const STOPPED = { step: 'record_stopped', undo: null } as const satisfies Planned;

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
 * them. A restore unpacks, and a change looks for its image, before anything that runs is ended: what cannot be had
 * disturbs nobody.
 */
export const OPERATION_PLANS = {
  start: [GUARD, ...STARTING],
  stop: [HOLD, ...ENDING, STOPPED],
  restart: [
    GUARD,
    HOLD,
    AWAIT,
    END_EXECS,
    SNAPSHOT,
    { step: 'stop_container', undo: null },
    DRAIN,
    ...STARTING,
  ],
  delete: [HOLD, { step: 'withdraw_execs', undo: null }, ...ENDING, ...REMOVING],
  git_clone: [{ step: 'clone_repository', undo: 'discard_git' }, RECORD_GIT],
  git_commit: [COMMIT, RECORD_GIT],
  git_push: [PUSH, RECORD_GIT],
  git_pull: [{ step: 'pull_branch', undo: 'discard_git' }, RECORD_GIT],
  git_commit_and_push: [COMMIT, PUSH, RECORD_GIT],
  git_pull_request: [{ step: 'open_pull_request', undo: 'discard_git' }, RECORD_GIT],
  snapshot: [SNAPSHOT, { step: 'record_done', undo: null }],
  restore: [
    { step: 'unpack_snapshot', undo: 'revert_workspace' },
    HOLD,
    ...ENDING_FOR_NOW,
    { step: 'switch_workspace', undo: 'revert_workspace' },
    ...STARTING,
    STOPPED,
  ],
  change: [
    { step: 'apply_change', undo: 'revert_change' },
    PREPARE,
    HOLD,
    ...ENDING_FOR_NOW,
    ...RUN,
    STOPPED,
  ],
} as const satisfies Readonly<Record<OperationKind, readonly Planned[]>>;

export type StepName = (typeof OPERATION_PLANS)[OperationKind][number]['step'];

export interface PlannedStep {
  readonly step: StepName;
  readonly undo: Undo | null;
}

/** The stop ends execs as well, where nothing is to be read before it. */
const OF_A_SNAPSHOT: ReadonlySet<StepName> = new Set(['end_execs', 'write_snapshot']);
export type Stage = readonly [PlannedStep, ...PlannedStep[]];

const RUN_STEPS: ReadonlySet<StepName> = new Set(RUN.map(({ step }) => step));

/** The steps of one run: those of its kind, without what its request has no use for. */
export function planOperation(kind: OperationKind, options: OperationOptions): PlannedStep[] {
  const plan: readonly PlannedStep[] = OPERATION_PLANS[kind];
  const planned = plan.filter(({ step }) => isNeeded(kind, step, options));
  if (options.before?.isWanted !== false) return planned;
  return planned.map((one) => (one.undo === 'run_again' ? { ...one, undo: null } : one));
}

function isNeeded(kind: OperationKind, step: StepName, options: OperationOptions): boolean {
  if (step === 'await_execs') return options.running === 'wait';
  if (step === 'await_health' && options.awaitsHealth !== true) return false;
  if (step === 'check_restarts') return isRestart(options.because);
  if (kind === 'restart' && OF_A_SNAPSHOT.has(step)) return options.snapshot === true;
  if (kind !== 'restore' && kind !== 'change') return true;
  const endsRunning = options.before?.isWanted !== false;
  if (step === 'record_stopped') return !endsRunning;
  return endsRunning || !RUN_STEPS.has(step);
}

function isRestart(because: OperationOptions['because']): boolean {
  return because !== undefined && because !== 'idle';
}

/** What a host does one after the other, each safe to repeat, without anything between them for the Workflow to order. */
const OF_ONE_STAGE: ReadonlySet<StepName> = new Set([
  'stop_container',
  'drain_execs',
  'prepare_storage',
  'create_container',
  'start_container',
  'await_runner',
  'remove_containers',
  'remove_storage',
]);

/** The steps of a plan as its run hands them out: those that follow each other on the host go there together. */
export function stagesOf(plan: readonly PlannedStep[]): Stage[] {
  const stages: Stage[] = [];
  for (const planned of plan) {
    const last = stages.at(-1);
    const isOneWith = (before: Stage): boolean =>
      OF_ONE_STAGE.has(planned.step) && OF_ONE_STAGE.has(before[0].step);
    if (last !== undefined && isOneWith(last)) stages.splice(-1, 1, [...last, planned]);
    else stages.push([planned]);
  }
  return stages;
}

/** What is left to undo after `begun` steps, the first one first. */
export function undosOf(plan: readonly PlannedStep[], begun: number): Undo[] {
  const needed = new Set(plan.slice(0, begun).map(({ undo }) => undo));
  return UNDOS.filter((undo) => needed.has(undo));
}
