import { Context } from '@temporalio/activity';
import {
  EXEC_TRANSITIONS,
  isTerminal,
  limits,
  TIERS,
  type ContainerEngine,
  type ContainerSpec,
  type ExecId,
  type ExecStore,
  type HostId,
  type Log,
  type OperationStore,
  type Sandbox,
  type SandboxObservedState,
  type ObjectStore,
  type SandboxStore,
  type SnapshotStore,
  type StepName,
  type Undo,
  type WakeSender,
} from '#domain';
import { revertWorkspace, unpackSnapshotStep, writeSnapshotStep } from '../archive/archive-steps.js';
import type { HostActivities, StepInput } from '../contract.js';
import { reach, SuspendedError } from '../exec/reach.js';
import type { ExecSupervisor } from '../exec/exec-supervisor.js';
import { translated } from '../failures.js';
import { withHeartbeat } from '../heartbeat.js';
import { recordedStep, throughOutages, withAttemptsCounted } from '../step.js';
import { awaitHealth } from './await-health.js';
import { endExecs } from './end-execs.js';
import { reconcileHost } from './reconcile.js';
import { drainExecs, observeContainer } from './settle.js';

const signal = (): AbortSignal => Context.current().cancellationSignal;

export interface HostActivityPorts {
  readonly snapshots: SnapshotStore;
  readonly objects: ObjectStore;
  readonly sandboxes: SandboxStore;
  readonly operations: OperationStore;
  readonly execs: ExecStore;
  readonly engine: ContainerEngine;
  readonly supervisor: Pick<ExecSupervisor, 'join' | 'continueQueue'>;
  readonly wake: WakeSender;
  readonly log: Log;
}

export function createHostActivities(ports: HostActivityPorts, hostId: HostId): HostActivities {
  const { sandboxes, engine } = ports;
  const step = stepsOver(ports);

  return translated<HostActivities>({
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

    endExecs: (input) => step('end_execs', input, (sandbox) => endExecs(ports, sandbox, signal())),

    stopContainer: (input) =>
      step('stop_container', input, async (sandbox) => {
        const { id, generation, containerId } = sandbox;
        if (generation === 0) return;
        await engine.stopContainer({ sandboxId: id, generation });
        await observe(ports, input, { generation, containerId }, 'stopped');
      }),

    drainExecs: (input) => step('drain_execs', input, (sandbox) => drainExecs(ports, sandbox)),

    removeContainers: (input) =>
      step('remove_containers', input, async ({ id, generation }) => {
        await engine.removeContainers({ sandboxId: id, generation });
      }),

    removeStorage: (input) => step('remove_storage', input, ({ id }) => engine.removeStorage(id)),

    discardContainer: (input) =>
      step('discard_container', input, async ({ id, generation, operationId }) => {
        if (operationId !== input.operationId) return;
        await engine.removeContainers({ sandboxId: id, generation });
        await observe(ports, input, { generation, containerId: null }, 'stopped');
      }),

    observeContainer: (input) =>
      step('observe_container', input, (sandbox) => observeContainer(ports, input, sandbox)),

    ...archiveActivities(ports, step),

    reconcileHost: () => withHeartbeat(() => reconcileHost(ports, hostId)),

    cancelExec: ({ execId }) => withHeartbeat(() => cancelExec(ports, execId)),
  });
}

type StepPorts = Pick<HostActivityPorts, 'sandboxes' | 'operations' | 'wake'>;

/** Workspaces into object storage and back, and what undoes that. */
function archiveActivities(
  ports: HostActivityPorts,
  step: ReturnType<typeof stepsOver>,
): Pick<HostActivities, 'writeSnapshot' | 'unpackSnapshot' | 'revertWorkspace' | 'runAgain'> {
  return {
    writeSnapshot: (input) =>
      step('write_snapshot', input, (sandbox) => writeSnapshotStep(ports, input, sandbox, signal())),

    unpackSnapshot: (input) =>
      step('unpack_snapshot', input, (sandbox) => unpackSnapshotStep(ports, input, sandbox, signal())),

    revertWorkspace: (input) =>
      step('revert_workspace', input, async (sandbox) =>
        revertWorkspace(ports, input, sandbox, await ports.operations.get(input.operationId)),
      ),

    runAgain: (input) => step('run_again', input, (sandbox) => runAgain(ports, input, sandbox)),
  };
}

/** A step of an operation: recorded with its times, alive while it works, given the sandbox as it is. */
export function stepsOver(ports: StepPorts) {
  return async (
    name: StepName | Undo,
    input: StepInput,
    work: (sandbox: Sandbox) => Promise<void>,
  ): Promise<void> =>
    await withAttemptsCounted(Context.current().info.attempt, () =>
      withHeartbeat(() =>
        throughOutages(Context.current().cancellationSignal, () =>
          recordedStep(ports, name, input, async () => work(await ports.sandboxes.get(input.sandboxId))),
        ),
      ),
    );
}

async function cancelExec(ports: HostActivityPorts, execId: ExecId): Promise<void> {
  const exec = await ports.execs.get(execId);
  if (isTerminal(EXEC_TRANSITIONS, exec.state) || exec.state === 'queued') return;
  const { connection, live } = await reach(ports.engine, ports.sandboxes, exec);
  if (live) await connection.cancel(execId, limits.EXEC_CANCEL_GRACE_MS);
  else await connection.close();
  await ports.supervisor.join(exec).ended;
}

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
async function runAgain(ports: HostActivityPorts, input: StepInput, sandbox: Sandbox): Promise<void> {
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

async function observe(
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
