import type { Failure } from './errors.js';
import type { ContainerView } from './ports/engine.port.js';
import type { Sandbox } from './sandbox.js';
import type { SandboxObservedState } from './sandbox.states.js';

/** What is written on the row of a sandbox after a look at the engine. */
export interface Observation {
  readonly observedState: SandboxObservedState;
  /** What differs from what Berth has made, or from what the owner wants. */
  readonly failure: Failure | null;
}

/** What becomes of a container that a look at the engine found. */
export type ContainerPlan =
  /** It is the one that its row names. */
  | 'keep'
  /** It has another name than Berth gave it: it gets its own back, so that it is found again and never doubled. */
  | 'reclaim'
  /** Its row proves that it is not needed any more: the sandbox is deleted, or has a newer one. */
  | 'remove'
  /** No row knows it: labels alone prove nothing, so people decide. */
  | 'report';

type Seen = Pick<ContainerView, 'state' | 'oomKilled'>;

/** Only for a sandbox that no operation holds and that has had a container. `seen` is its own one, of its own generation. */
export function observe(
  { desiredState }: Pick<Sandbox, 'desiredState'>,
  seen: Seen | undefined,
): Observation {
  const observedState = observedStateOf(seen?.state);
  return { observedState, failure: driftOf(desiredState, seen) };
}

export function planContainer(
  found: { readonly generation: number; readonly isNamedOurs: boolean },
  row: Pick<Sandbox, 'generation' | 'observedState'> | undefined,
): ContainerPlan {
  if (row === undefined || found.generation > row.generation) return 'report';
  const isNeeded = row.observedState !== 'deleted' && found.generation === row.generation;
  if (isNeeded) return found.isNamedOurs ? 'keep' : 'reclaim';
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
