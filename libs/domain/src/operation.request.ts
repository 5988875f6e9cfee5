import type { Operation, OperationOptions } from './operation.js';
import { isGitKind, OPERATION_KINDS, type OperationKind } from './operation.states.js';
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
type Held = Pick<Sandbox, 'observedState' | 'image' | 'tier'>;

/** `as_wanted`: as its owner wanted it when he asked. `untouched`: it is held against other operations, and nothing else. */
type Leaving = 'running' | 'ended' | 'as_wanted' | 'untouched';

interface Manner {
  /** What has stuck must not keep anybody from ending it. */
  readonly takesOver: boolean;
  /** How it leaves the sandbox when it succeeds, and so who waits for it that needs the sandbox running. */
  readonly leaves: Leaving;
  /** What the owner of the sandbox wants from the moment of the request on; null: what he wanted before. */
  readonly desiredAfter: SandboxDesiredState | null;
}

/** It works in a sandbox that runs, and leaves it so. */
const BESIDE: Manner = { takesOver: false, leaves: 'untouched', desiredAfter: 'running' };
const REPLACING: Manner = { takesOver: false, leaves: 'as_wanted', desiredAfter: null };

const MANNERS: Readonly<Record<OperationKind, Manner>> = {
  start: { takesOver: false, leaves: 'running', desiredAfter: 'running' },
  stop: { takesOver: true, leaves: 'ended', desiredAfter: 'stopped' },
  restart: { takesOver: false, leaves: 'running', desiredAfter: 'running' },
  delete: { takesOver: true, leaves: 'ended', desiredAfter: 'deleted' },
  snapshot: { takesOver: false, leaves: 'untouched', desiredAfter: null },
  restore: REPLACING,
  change: REPLACING,
  git_clone: BESIDE,
  git_commit: BESIDE,
  git_push: BESIDE,
  git_pull: BESIDE,
  git_commit_and_push: BESIDE,
  git_pull_request: BESIDE,
};

/** What the owner of the sandbox wants from the moment of the request on. One that is stopped as idle is still wanted. */
export function desiredAfter({ kind, options }: AskedOperation): SandboxDesiredState | null {
  return options.because === 'idle' ? 'running' : MANNERS[kind].desiredAfter;
}

/** What the row of an operation says: what was asked for, and what its sandbox adds to that. */
export function optionsFor(
  { healthCheck }: Pick<Sandbox, 'healthCheck'>,
  { kind, options }: AskedOperation,
): OperationOptions {
  return healthCheck !== null && MAY_END_RUNNING.has(MANNERS[kind].leaves)
    ? { ...options, awaitsHealth: true }
    : options;
}

const MAY_END_RUNNING: ReadonlySet<Leaving> = new Set(['running', 'as_wanted']);

/** Whether a run of this kind changes what its sandbox is, so that the row of the sandbox says how it ended. */
export function touchesSandbox(kind: OperationKind): boolean {
  return MANNERS[kind].leaves !== 'untouched';
}

/** While a run of one of these is live, it alone says what the sandbox is. */
export const TOUCHING_KINDS: readonly OperationKind[] = OPERATION_KINDS.filter(touchesSandbox);

/** Somebody has asked by name for the sandbox to run: that it did not stay up before counts no more. */
export function forgivesRestarts({ kind, options }: AskedOperation): boolean {
  return MANNERS[kind].leaves === 'running' && options.because === undefined;
}

/** What is kept of a request: what it says, and what it leaves to the sandbox. */
export function settledOptions(sandbox: Sandbox, { kind, options }: AskedOperation): OperationOptions {
  const { image, tier, workspaceId, desiredState } = sandbox;
  const before = { image, tier, workspaceId, isWanted: desiredState === 'running' };
  switch (kind) {
    case 'restart':
      return options.snapshot === undefined && sandbox.snapshotOnRestart
        ? { ...options, snapshot: true }
        : options;
    case 'restore':
      return { ...options, before };
    case 'change':
      return { ...options, image: options.image ?? image, tier: options.tier ?? tier, before };
    default:
      return options;
  }
}

/** What its owner is taken to want when an operation has been given up: that it stays as it is. */
export function desiredAfterGivingUp(observedState: SandboxObservedState): SandboxDesiredState {
  return ENDED.has(observedState) ? 'stopped' : 'running';
}

const ENDED: ReadonlySet<SandboxObservedState> = new Set(['none', 'stopped', 'missing']);

/** For somebody who asks for this operation by name. `live` is the one operation that holds the sandbox, if any. */
export function decideRequest(held: Held, live: Holder | undefined, asked: AskedOperation): RequestDecision {
  const { observedState } = held;
  if (observedState === 'deleted') return asked.kind === 'delete' ? 'nothing' : 'deleted';
  if (live !== undefined) {
    if (live.kind === asked.kind && sameOptions(live.options, asked.options)) return 'join';
    return mayTakeOver(live, asked.kind) ? 'take_over' : 'in_progress';
  }
  if (isSo(asked, held)) return 'nothing';
  return SANDBOX_ACTIONS[observedState].includes(asked.kind) ? 'create' : 'not_allowed';
}

/** For somebody who needs the sandbox to run, an exec for example, and asks for nothing if it does. */
export function decideNeed(
  { observedState }: Pick<Held, 'observedState'>,
  live: Holder | undefined,
): RequestDecision {
  if (observedState === 'deleted') return 'deleted';
  // The sweep starts it again for what came in while it was being stopped as idle.
  if (live?.options.because === 'idle') return 'nothing';
  const isDown = needsStart({ observedState });
  if (live === undefined) return isDown ? 'create' : 'nothing';
  switch (MANNERS[live.kind].leaves) {
    case 'running':
      return 'join';
    case 'ended':
      return 'in_progress';
    case 'as_wanted':
      return live.options.before?.isWanted === false ? 'in_progress' : 'join';
    case 'untouched':
      if (!isDown) return 'nothing';
      return mayTakeOver(live, 'start') ? 'take_over' : 'in_progress';
  }
}

/** For what nobody asks for: it waits for whatever is live, but a sandbox that is down is brought up over a git run that has stuck. */
export function decideUnasked(
  live: Holder | undefined,
  kind: OperationKind,
): Extract<RequestDecision, 'create' | 'take_over' | 'nothing'> {
  if (live === undefined) return 'create';
  return kind === 'start' && mayTakeOver(live, kind) ? 'take_over' : 'nothing';
}

/** A parked git operation holds nothing of the container, so whatever brings that up, down or away comes before it. */
function mayTakeOver(live: Holder, kind: OperationKind): boolean {
  if (live.state !== 'parked' || live.kind === kind) return false;
  return MANNERS[kind].takesOver || (isGitKind(live.kind) && !isGitKind(kind));
}

function isSo({ kind, options }: AskedOperation, { observedState, image, tier }: Held): boolean {
  if (kind === 'start') return observedState === 'running';
  if (kind === 'stop') return observedState === 'stopped' || observedState === 'none';
  return kind === 'change' && options.image === image && options.tier === tier;
}

/** What two requests must have in common to be one. What was before is no part of a request. */
function sameOptions(one: OperationOptions, other: OperationOptions): boolean {
  return (
    (one.running ?? 'end') === (other.running ?? 'end') &&
    one.waitSeconds === other.waitSeconds &&
    (one.snapshot ?? false) === (other.snapshot ?? false) &&
    one.snapshotId === other.snapshotId &&
    one.image === other.image &&
    one.tier === other.tier &&
    textOf(one.git) === textOf(other.git)
  );
}

/** The same for the same members, in whatever order they come. */
function textOf(git: OperationOptions['git']): string {
  const members = Object.entries(git ?? {}).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify(members);
}
