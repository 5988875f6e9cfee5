import { Context } from '@temporalio/activity';
import { TIERS, type ContainerSpec, type Sandbox, type SandboxObservedState } from '#domain';
import type { HostActivities, StepInput } from '../contract.js';
import { SuspendedError } from '../exec/reach.js';
import { translated } from '../failures.js';
import { awaitHealth } from './await-health.js';
import { endExecs } from './end-execs.js';
import type { HostActivityPorts } from './host-ports.js';
import { drainExecs } from './settle.js';
import type { Step } from './steps-over.js';

export type ContainerSteps = Pick<
  HostActivities,
  | 'prepareStorage'
  | 'createContainer'
  | 'startContainer'
  | 'awaitRunner'
  | 'awaitHealth'
  | 'endExecs'
  | 'stopContainer'
  | 'drainExecs'
  | 'removeContainers'
  | 'removeStorage'
>;

/** What a plan has the host do to the container and the storage of a sandbox. */
export function createContainerSteps(ports: HostActivityPorts, step: Step): ContainerSteps {
  const { sandboxes, engine } = ports;
  return translated<ContainerSteps>({
    prepareStorage: (input) =>
      step('prepare_storage', input, async (sandbox) => {
        await engine.prepareStorage(containerSpec(sandbox, input, sandbox.generation));
        await sandboxes.recordWorkspace(sandbox.id, input.operationId);
      }),

    createContainer: (input) =>
      step('create_container', input, async (sandbox) => {
        const generation = await sandboxes.raiseGeneration(sandbox.id, input.operationId);
        const { containerId } = await engine.createContainer(containerSpec(sandbox, input, generation));
        await observe(ports, input, { generation, containerId }, 'starting');
      }),

    startContainer: (input) =>
      step('start_container', input, (sandbox) => startContainer(ports, input, sandbox)),

    awaitRunner: (input) => step('await_runner', input, (sandbox) => awaitRunner(ports, input, sandbox)),

    awaitHealth: (input) =>
      step('await_health', input, (sandbox) => awaitHealth(ports, input.operationId, sandbox)),

    endExecs: (input) =>
      step('end_execs', input, (sandbox) => endExecs(ports, sandbox, Context.current().cancellationSignal)),

    stopContainer: (input) =>
      step('stop_container', input, async (sandbox) => {
        const { id, generation, containerId, operationId } = sandbox;
        // Its own container comes later: an attempt that was thought dead must not end that.
        if (generation === 0 || operationId === input.operationId) return;
        await engine.stopContainer({ sandboxId: id, generation });
        await observe(ports, input, { generation, containerId }, 'stopped');
      }),

    drainExecs: (input) => step('drain_execs', input, (sandbox) => drainExecs(ports, sandbox)),

    removeContainers: (input) =>
      step('remove_containers', input, async ({ id, generation }) => {
        await engine.removeContainers({ sandboxId: id, generation });
      }),

    removeStorage: (input) => step('remove_storage', input, ({ id }) => engine.removeStorage(id)),
  });
}

/** Those of them that a stage may have. */
export const stageSteps = (steps: ContainerSteps) => ({
  stop_container: steps.stopContainer,
  drain_execs: steps.drainExecs,
  prepare_storage: steps.prepareStorage,
  create_container: steps.createContainer,
  start_container: steps.startContainer,
  await_runner: steps.awaitRunner,
  remove_containers: steps.removeContainers,
  remove_storage: steps.removeStorage,
});

async function startContainer(ports: HostActivityPorts, input: StepInput, sandbox: Sandbox): Promise<void> {
  const { generation } = sandbox;
  const { containerId } = await ports.engine.startContainer(containerSpec(sandbox, input, generation));
  if (containerId !== sandbox.containerId)
    await observe(ports, input, { generation, containerId }, 'starting');
}

async function awaitRunner(ports: HostActivityPorts, input: StepInput, sandbox: Sandbox): Promise<void> {
  const { engine } = ports;
  const ref = { sandboxId: sandbox.id, generation: sandbox.generation };
  const { state } = await engine.inspect(ref);
  if (state === 'paused' || state === 'restarting') throw new SuspendedError(state);
  // It may have died, or been removed, since it was started, and nobody else would start it again.
  if (state !== 'running') await startContainer(ports, input, sandbox);
  const connection = await engine.connect(ref);
  await connection.list();
}

/** With the values that it had before: those of the row, which other undos have put back. */
export async function runAgain(ports: HostActivityPorts, input: StepInput, sandbox: Sandbox): Promise<void> {
  const { engine, sandboxes } = ports;
  await engine.prepareStorage(containerSpec(sandbox, input, sandbox.generation));
  const generation = await sandboxes.raiseGeneration(sandbox.id, input.operationId);
  const { containerId } = await engine.createContainer(containerSpec(sandbox, input, generation));
  await observe(ports, input, { generation, containerId }, 'starting');
  await awaitRunner(ports, input, { ...sandbox, generation, containerId });
}

function containerSpec(sandbox: Sandbox, input: StepInput, generation: number): ContainerSpec {
  return {
    sandboxId: sandbox.id,
    generation,
    tenantId: sandbox.tenantId,
    ownerId: sandbox.ownerId,
    hostId: sandbox.hostId,
    operationId: input.operationId,
    image: sandbox.image,
    tier: TIERS[sandbox.tier],
    workspaceId: sandbox.workspaceId,
    mayMakeWorkspace: !sandbox.workspaceMade,
  };
}

export async function observe(
  ports: HostActivityPorts,
  input: StepInput,
  seen: { generation: number; containerId: string | null },
  observedState: SandboxObservedState,
): Promise<void> {
  await ports.sandboxes.observeByOperation(input.sandboxId, input.operationId, {
    ...seen,
    observedState,
    failure: null,
  });
  ports.wake.wake(`sandbox:${input.sandboxId}`);
}
