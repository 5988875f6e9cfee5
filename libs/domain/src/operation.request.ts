import type { Operation, OperationOptions } from './operation.js';
import type { OperationKind } from './operation.states.js';
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

/** What has stuck must not keep anybody from ending it. */
const TAKES_OVER: Readonly<Record<OperationKind, boolean>> = {
  start: false,
  stop: true,
  restart: false,
  delete: true,
};

/** After these the sandbox runs, so whoever needs it running waits for them. */
const ENDS_RUNNING: Readonly<Record<OperationKind, boolean>> = {
  start: true,
  stop: false,
  restart: true,
  delete: false,
};

const DESIRED_AFTER: Readonly<Record<OperationKind, SandboxDesiredState>> = {
  start: 'running',
  stop: 'stopped',
  restart: 'running',
  delete: 'deleted',
};

/** What the owner of the sandbox wants from the moment of the request on. One that is stopped as idle is still wanted. */
export function desiredAfter({ kind, options }: AskedOperation): SandboxDesiredState {
  return options.because === 'idle' ? 'running' : DESIRED_AFTER[kind];
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
    return live.state === 'parked' && TAKES_OVER[asked.kind] && live.kind !== asked.kind
      ? 'take_over'
      : 'in_progress';
  }
  if (isSo(asked.kind, observedState)) return 'nothing';
  return SANDBOX_ACTIONS[observedState].includes(asked.kind) ? 'create' : 'not_allowed';
}

/** For somebody who needs the sandbox to run, an exec for example, and asks for nothing if it does. */
export function decideNeed({ observedState }: Held, live: Holder | undefined): RequestDecision {
  if (observedState === 'deleted') return 'deleted';
  // The sweep starts it again for what came in while it was being stopped as idle.
  if (live?.options.because === 'idle') return 'nothing';
  if (live !== undefined) return ENDS_RUNNING[live.kind] ? 'join' : 'in_progress';
  return needsStart({ observedState }) ? 'create' : 'nothing';
}

function isSo(kind: OperationKind, observedState: Sandbox['observedState']): boolean {
  if (kind === 'start') return observedState === 'running';
  return kind === 'stop' && (observedState === 'stopped' || observedState === 'none');
}

function sameOptions(one: OperationOptions, other: OperationOptions): boolean {
  return (one.running ?? 'end') === (other.running ?? 'end') && one.waitSeconds === other.waitSeconds;
}
