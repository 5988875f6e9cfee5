import {
  DomainError,
  type ContainerEngine,
  type ContainerView,
  type Exec,
  type RunnerConnection,
  type SandboxStore,
} from '#domain';

/** `live`: the runner itself. Otherwise a read-only view of the spool that a dead container left. */
export interface Reached {
  readonly connection: RunnerConnection;
  readonly live: boolean;
  readonly container: ContainerView;
}

/** The container is there and does nothing, by somebody's wish: its commands go on when it does. */
export class SuspendedError extends DomainError {
  constructor(state: ContainerView['state']) {
    super('runner_unreachable', `The container is ${state}.`);
  }
}

/** Finds the way to an exec's spool: through the runner of its own container generation, or past it if that is dead. */
export async function reach(engine: ContainerEngine, sandboxes: SandboxStore, exec: Exec): Promise<Reached> {
  if (exec.generation === null) throw new TypeError(`Exec ${exec.id} is not claimed.`);
  const ref = { sandboxId: exec.sandboxId, generation: exec.generation };
  const container = await engine.inspect(ref);
  switch (container.state) {
    case 'running':
      return { connection: await engine.connect(ref), live: true, container };
    case 'paused':
    case 'restarting':
      throw new SuspendedError(container.state);
    case 'created':
    case 'exited':
    case 'missing': {
      const { image } = await sandboxes.get(exec.sandboxId);
      return { connection: await engine.drain(ref, image), live: false, container };
    }
  }
}
