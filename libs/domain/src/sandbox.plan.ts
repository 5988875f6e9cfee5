import type { Failure } from './errors.js';
import type { ContainerView, SurveyedContainer } from './ports/engine.port.js';
import type { Sandbox } from './sandbox.js';
import { planRestart, type PlannedRestart, type Restartable, type RestartCause } from './sandbox.restarts.js';
import type { SandboxObservedState } from './sandbox.states.js';

/** What is written on the row of a sandbox after a look at the engine. */
export interface Observation {
  readonly observedState: SandboxObservedState;
  /** What differs from what Berth has made, or from what the owner wants. */
  readonly failure: Failure | null;
  /** Where it is to be started again by itself. */
  readonly restart: PlannedRestart | null;
}

/** What becomes of a container that a look at the engine found. */
export type ContainerPlan =
  /** It is the one that its row names. */
  | 'keep'
  /** It has another name than Berth gave it: it gets its own back, so that it is found again and never doubled. */
  | 'reclaim'
  /** It runs, and somebody took its network away: it gets that back. */
  | 'reconnect'
  /** Its row proves that it is not needed any more: the sandbox is deleted, or has a newer one. */
  | 'remove'
  /** No row knows it: labels alone prove nothing, so people decide. */
  | 'report';

type Seen = Pick<ContainerView, 'state' | 'oomKilled' | 'exitCode'>;

/** Only for a sandbox that no operation holds and that has had a container. `seen` is its own one, of its own generation. */
export function observe(sandbox: Restartable, seen: Seen | undefined): Observation {
  const cause = causeOf(seen);
  return {
    observedState: observedStateOf(seen?.state),
    failure: driftOf(sandbox.desiredState, seen),
    restart: cause === null ? null : planRestart(sandbox, cause),
  };
}

export function planContainer(
  found: Pick<SurveyedContainer, 'generation' | 'isNamedOurs' | 'isConnected' | 'state'>,
  row: Pick<Sandbox, 'generation' | 'observedState'> | undefined,
): ContainerPlan {
  if (row === undefined || found.generation > row.generation) return 'report';
  const isNeeded = row.observedState !== 'deleted' && found.generation === row.generation;
  if (isNeeded && !found.isNamedOurs) return 'reclaim';
  if (isNeeded) return found.state === 'running' && !found.isConnected ? 'reconnect' : 'keep';
  return found.isNamedOurs ? 'remove' : 'report';
}

/** What a container in this state makes of its sandbox; undefined where there is none. */
export function observedStateOf(state: ContainerView['state'] | undefined): SandboxObservedState {
  switch (state) {
    case undefined:
    case 'missing':
      return 'missing';
    case 'running':
      return 'running';
    case 'paused':
    case 'restarting':
      return 'degraded';
    case 'created':
    case 'exited':
      return 'stopped';
  }
}

function causeOf(seen: Seen | undefined): RestartCause | null {
  if (seen === undefined || seen.state === 'missing') return 'failed';
  if (seen.state !== 'exited') return null;
  return seen.exitCode === 0 && !seen.oomKilled ? 'ended' : 'failed';
}

function driftOf(desired: Sandbox['desiredState'], seen: Seen | undefined): Failure | null {
  if (seen === undefined || seen.state === 'missing') {
    return { code: 'container_missing', message: 'The container is gone; nothing of Berth removed it.' };
  }
  if (seen.state === 'paused') return { code: 'container_failed', message: 'The container is paused.' };
  if (seen.oomKilled) return { code: 'container_failed', message: 'The container ran out of memory.' };
  if (seen.state === 'running' && desired !== 'running') {
    return { code: 'invalid_state', message: 'The container runs although the sandbox was stopped.' };
  }
  return null;
}
