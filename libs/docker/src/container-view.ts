import type Docker from 'dockerode';
import type { ContainerView, SandboxRef } from '#domain';

const NEVER = '0001-01-01T00:00:00Z';

export function missingView({ sandboxId, generation }: SandboxRef): ContainerView {
  return {
    sandboxId,
    generation,
    containerId: null,
    state: 'missing',
    oomKilled: false,
    exitCode: null,
    startedAt: null,
  };
}

export function viewOf(
  { sandboxId, generation }: SandboxRef,
  { Id, State }: Pick<Docker.ContainerInspectInfo, 'Id' | 'State'>,
): ContainerView {
  const state = stateOf(State.Status);
  return {
    sandboxId,
    generation,
    containerId: Id,
    state,
    oomKilled: State.OOMKilled,
    exitCode: state === 'exited' ? State.ExitCode : null,
    startedAt: State.StartedAt === NEVER || State.StartedAt === '' ? null : State.StartedAt,
  };
}

/** `removing` and `dead` are containers whose processes have ended: what is left of them only has to go. */
export function stateOf(status: string): Exclude<ContainerView['state'], 'missing'> {
  switch (status) {
    case 'running':
    case 'paused':
    case 'created':
    case 'restarting':
      return status;
    default:
      return 'exited';
  }
}
