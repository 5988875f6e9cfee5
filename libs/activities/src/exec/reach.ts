import {
  DomainError,
  isDomainError,
  type ContainerEngine,
  type ContainerView,
  type Exec,
  type RunnerConnection,
  type SandboxRef,
  type SandboxStore,
} from '#domain';

/** `live`: the runner itself. Otherwise a read-only view of the spool that a dead container left. */
export interface Reached {
  readonly connection: RunnerConnection;
  readonly live: boolean;
}

/** The container is there and does nothing, by somebody's wish: its commands go on when it does. */
export class SuspendedError extends DomainError {
  constructor(state: ContainerView['state']) {
    super('runner_unreachable', `The container is ${state}.`);
  }
}

/**
 * Finds the way to an exec's spool: through the runner of its own container generation, or past it if that is dead. The
 * engine is asked for the container's state only where no channel can be had.
 */
export async function reach(engine: ContainerEngine, sandboxes: SandboxStore, exec: Exec): Promise<Reached> {
  const ref = containerOf(exec);
  try {
    return { connection: await engine.connect(ref), live: true };
  } catch (error) {
    if (isDomainError(error, 'dependency_unavailable')) throw error;
    const { state } = await engine.inspect(ref);
    if (state === 'running') throw error;
    if (state === 'paused' || state === 'restarting') throw new SuspendedError(state);
    const { image } = await sandboxes.get(exec.sandboxId);
    return { connection: await engine.drain(ref, image), live: false };
  }
}

/** The container that an exec was claimed for: of its sandbox, and of the generation at the claim. */
export function containerOf(exec: Exec): SandboxRef {
  if (exec.generation === null) throw new TypeError(`Exec ${exec.id} is not claimed.`);
  return { sandboxId: exec.sandboxId, generation: exec.generation };
}
