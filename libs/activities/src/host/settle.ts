import {
  isTerminal,
  desiredAfterGivingUp,
  EXEC_TRANSITIONS,
  observedStateOf,
  type ContainerView,
  type Sandbox,
  type SandboxObservedState,
} from '#domain';
import type { StepInput } from '../contract.js';
import type { HostActivityPorts } from './host-ports.js';

/**
 * Returns when every exec that was claimed has ended. Their supervisions read what the container left in its spool, so
 * afterwards nothing of them is in the sandbox alone. Nothing new is claimed meanwhile: the sandbox is held.
 */
export async function drainExecs({ execs, supervisor }: HostActivityPorts, { id }: Sandbox): Promise<void> {
  for (;;) {
    const claimed = (await execs.listUnended(id)).filter(({ state }) => state !== 'queued');
    if (claimed.length === 0) return;
    for (const exec of claimed) await supervisor.join(exec).ended;
    const ended = await Promise.all(claimed.map(async (exec) => (await execs.get(exec.id)).state));
    if (!ended.every((state) => isTerminal(EXEC_TRANSITIONS, state))) {
      throw new TypeError(`A supervision of sandbox ${id} ended before its exec.`);
    }
  }
}

/** Writes what is there after an operation was given up. The owner's wish follows it: nobody else would carry it out. */
export async function observeContainer(
  { sandboxes, engine, supervisor, wake }: HostActivityPorts,
  input: StepInput,
  sandbox: Sandbox,
): Promise<void> {
  const { id, generation } = sandbox;
  const view = generation === 0 ? undefined : await engine.inspect({ sandboxId: id, generation });
  const observedState = stateAfterUndo(view);
  await sandboxes.observeByOperation(id, input.operationId, {
    generation,
    containerId: view?.containerId ?? null,
    observedState,
    failure: sandbox.failure,
    desiredState: desiredAfterGivingUp(observedState),
  });
  wake.wake(`sandbox:${id}`);
  if (observedState === 'running') await supervisor.continueQueue(id);
}

/** A container that an undo has removed was wanted gone: its sandbox is stopped, or was never there. */
function stateAfterUndo(view: ContainerView | undefined): SandboxObservedState {
  if (view === undefined) return 'none';
  return view.state === 'missing' ? 'stopped' : observedStateOf(view.state);
}
