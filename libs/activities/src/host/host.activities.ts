import { Context } from '@temporalio/activity';
import { EXEC_TRANSITIONS, isTerminal, limits, type ExecId, type HostId } from '#domain';
import { revertWorkspace, unpackSnapshotStep, writeSnapshotStep } from '../archive/archive-steps.js';
import type { HostActivities } from '../contract.js';
import { reach } from '../exec/reach.js';
import { translated } from '../failures.js';
import { withHeartbeat } from '../heartbeat.js';
import { createContainerSteps, observe, runAgain, stageSteps } from './container-steps.js';
import { doStage } from './do-stage.js';
import type { HostActivityPorts } from './host-ports.js';
import { reconcileHost } from './reconcile.js';
import { observeContainer } from './settle.js';
import { stepsOver, type Step } from './steps-over.js';

const signal = (): AbortSignal => Context.current().cancellationSignal;

export function createHostActivities(ports: HostActivityPorts, hostId: HostId): HostActivities {
  const { engine } = ports;
  const step = stepsOver(ports);
  const steps = createContainerSteps(ports, step);

  return translated<HostActivities>({
    ...steps,

    doStage: (input) => doStage(ports.operations, stageSteps(steps), input),

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

/** Workspaces into object storage and back, and what undoes that. */
function archiveActivities(
  ports: HostActivityPorts,
  step: Step,
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

async function cancelExec(ports: HostActivityPorts, execId: ExecId): Promise<void> {
  const exec = await ports.execs.get(execId);
  if (isTerminal(EXEC_TRANSITIONS, exec.state) || exec.state === 'queued') return;
  const { connection, live } = await reach(ports.engine, ports.sandboxes, exec);
  if (live) await connection.cancel(execId, limits.EXEC_CANCEL_GRACE_MS);
  else await connection.close();
  await ports.supervisor.join(exec).ended;
}
