import type { Operation, OperationOptions } from './operation.js';
import { isGitKind, type OperationKind } from './operation.states.js';
import { needsStart, type Sandbox } from './sandbox.js';
import { SANDBOX_ACTIONS, type SandboxDesiredState, type SandboxObservedState } from './sandbox.states.js';

/**
 * What becomes of a request for an operation. `create`: a new run. `join`: the live run does the same and is the answer.
 * `take_over`: a new run, in place of the parked one. `nothing`: it is so already. `in_progress`: the live run is another.
 */
export type RequestDecision =
  'create' | 'join' | 'take_over' | 'nothing' | 'in_progress' | 'not_allowed' | 'deleted';

export interface AskedOperation {
  readonly kind: OperationKind;
  readonly options: OperationOptions;
}

type Holder = Pick<Operation, 'kind' | 'state' | 'options'>;
type Held = Pick<Sandbox, 'observedState'>;

interface Manner {
  /** What has stuck must not keep anybody from ending it. */
  readonly takesOver: boolean;
  /** Afterwards the sandbox runs, so whoever needs it running waits for it. */
  readonly endsRunning: boolean;
  /** What the owner of the sandbox wants from the moment of the request on. */
  readonly desiredAfter: SandboxDesiredState;
}

/** It works in a sandbox that runs, and leaves it so. */
const BESIDE: Manner = { takesOver: false, endsRunning: false, desiredAfter: 'running' };

const MANNERS: Readonly<Record<OperationKind, Manner>> = {
  start: { takesOver: false, endsRunning: true, desiredAfter: 'running' },
  stop: { takesOver: true, endsRunning: false, desiredAfter: 'stopped' },
  restart: { takesOver: false, endsRunning: true, desiredAfter: 'running' },
  delete: { takesOver: true, endsRunning: false, desiredAfter: 'deleted' },
  git_clone: BESIDE,
  git_commit: BESIDE,
  git_push: BESIDE,
  git_pull: BESIDE,
  git_commit_and_push: BESIDE,
  git_pull_request: BESIDE,
};

/** What the owner of the sandbox wants from the moment of the request on. One that is stopped as idle is still wanted. */
export function desiredAfter({ kind, options }: AskedOperation): SandboxDesiredState {
  return options.because === 'idle' ? 'running' : MANNERS[kind].desiredAfter;
}

/** What the row of an operation says: what was asked for, and what its sandbox adds to that. */
export function optionsFor(
  { healthCheck }: Pick<Sandbox, 'healthCheck'>,
  { kind, options }: AskedOperation,
): OperationOptions {
  return healthCheck !== null && MANNERS[kind].endsRunning ? { ...options, awaitsHealth: true } : options;
}

/** What its owner is taken to want when an operation has been given up: that it stays as it is. */
export function desiredAfterGivingUp(observedState: SandboxObservedState): SandboxDesiredState {
  return ENDED.has(observedState) ? 'stopped' : 'running';
}

const ENDED: ReadonlySet<SandboxObservedState> = new Set(['none', 'stopped', 'missing']);

/** For somebody who asks for this operation by name. `live` is the one operation that holds the sandbox, if any. */
export function decideRequest(
  { observedState }: Held,
  live: Holder | undefined,
  asked: AskedOperation,
): RequestDecision {
  if (observedState === 'deleted') return asked.kind === 'delete' ? 'nothing' : 'deleted';
  if (live !== undefined) {
    if (live.kind === asked.kind && sameOptions(live.options, asked.options)) return 'join';
    return mayTakeOver(live, asked.kind) ? 'take_over' : 'in_progress';
  }
  if (isSo(asked.kind, observedState)) return 'nothing';
  return SANDBOX_ACTIONS[observedState].includes(asked.kind) ? 'create' : 'not_allowed';
}

/** For somebody who needs the sandbox to run, an exec for example, and asks for nothing if it does. */
export function decideNeed({ observedState }: Held, live: Holder | undefined): RequestDecision {
  if (observedState === 'deleted') return 'deleted';
  // The sweep starts it again for what came in while it was being stopped as idle.
  if (live?.options.because === 'idle') return 'nothing';
  if (live === undefined) return needsStart({ observedState }) ? 'create' : 'nothing';
  if (!isGitKind(live.kind)) return MANNERS[live.kind].endsRunning ? 'join' : 'in_progress';
  if (!needsStart({ observedState })) return 'nothing';
  return mayTakeOver(live, 'start') ? 'take_over' : 'in_progress';
}

/** A parked git operation holds nothing of the container, so whatever brings that up, down or away comes before it. */
function mayTakeOver(live: Holder, kind: OperationKind): boolean {
  if (live.state !== 'parked' || live.kind === kind) return false;
  return MANNERS[kind].takesOver || (isGitKind(live.kind) && !isGitKind(kind));
}

function isSo(kind: OperationKind, observedState: Sandbox['observedState']): boolean {
  if (kind === 'start') return observedState === 'running';
  return kind === 'stop' && (observedState === 'stopped' || observedState === 'none');
}

function sameOptions(one: OperationOptions, other: OperationOptions): boolean {
  const isSame = (one.running ?? 'end') === (other.running ?? 'end') && one.waitSeconds === other.waitSeconds;
  return isSame && textOf(one.git) === textOf(other.git);
}

/** The same for the same members, in whatever order they come. */
function textOf(git: OperationOptions['git']): string {
  const members = Object.entries(git ?? {}).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify(members);
}
