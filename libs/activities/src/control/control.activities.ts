import {
  canceledBeforeStartEnd,
  EXEC_TRANSITIONS,
  isTerminal,
  lostEnd,
  notStartedEnd,
  type Exec,
  type ExecId,
  type ExecStore,
  type Log,
  type OperationStore,
  type SandboxStore,
  type SweepStore,
  type WakeSender,
  type WorkflowInspector,
  type WorkflowSignaller,
  type WorkflowStarter,
} from '#domain';
import type { ControlActivities, ExecEnded, StepInput } from '../contract.js';
import { translated } from '../failures.js';
import { recordedStep } from '../step.js';
import { endStart } from './end-start.js';
import { sweepRows } from './sweep.js';

export interface ControlActivityPorts {
  readonly sandboxes: SandboxStore;
  readonly operations: OperationStore;
  readonly execs: ExecStore;
  readonly sweeps: SweepStore;
  readonly wake: WakeSender;
  readonly runs: WorkflowStarter & WorkflowSignaller & WorkflowInspector;
  readonly log: Log;
}

export function createControlActivities(ports: ControlActivityPorts): ControlActivities {
  const { execs, operations, wake } = ports;
  return translated<ControlActivities>({
    openQueue: (input) => openQueue(ports, input),

    async parkOperation({ operationId, park }) {
      const isParked = await operations.move(operationId, ['pending', 'running', 'parked'], 'parked', {
        park,
        failure: park.failure,
      });
      wake.wake(`operation:${operationId}`);
      return { isParked };
    },

    async resumeOperation({ operationId }) {
      await operations.move(operationId, ['parked'], 'running');
      wake.wake(`operation:${operationId}`);
    },

    endStart: (input) => endStart(ports, input),

    async lookAtExec({ execId }) {
      const exec = await execs.get(execId);
      return isTerminal(EXEC_TRANSITIONS, exec.state) ? endedOf(exec) : { kind: 'live' };
    },

    async withdrawExec({ execId, as }) {
      const end =
        as === 'canceled'
          ? canceledBeforeStartEnd()
          : notStartedEnd({ code: 'invalid_state', message: 'Its sandbox did not take it in time.' });
      if (as === 'canceled') await execs.requestCancel(execId);
      await execs.end(execId, ['queued'], end);
      const exec = await execs.get(execId);
      return isTerminal(EXEC_TRANSITIONS, exec.state) ? endedOf(exec) : { kind: 'live' };
    },

    async giveUpExec({ execId, note }) {
      return await giveUp(ports, execId, note);
    },

    sweep: () => sweepRows(ports),
  });
}

async function openQueue(ports: ControlActivityPorts, input: StepInput): Promise<void> {
  const { sandboxes, operations, execs, runs, wake } = ports;
  const operation = await operations.get(input.operationId);
  if (operation.state === 'succeeded') return;
  await recordedStep(ports, 'open_queue', input, async () => {
    const { generation, containerId } = await sandboxes.get(input.sandboxId);
    const seen = { generation, containerId, observedState: 'running' as const, failure: null };
    await sandboxes.observeByOperation(input.sandboxId, input.operationId, seen);
    for (const id of await execs.listStartable(input.sandboxId)) await runs.wakeExec(id);
  });
  await operations.move(input.operationId, ['running'], 'succeeded');
  wake.wake(`operation:${input.operationId}`);
  wake.wake(`sandbox:${input.sandboxId}`);
}

async function giveUp(ports: ControlActivityPorts, execId: ExecId, note: string): Promise<ExecEnded> {
  const { execs } = ports;
  const { committedPosition } = await execs.get(execId);
  const evidence = { lastPosition: committedPosition, container: null, runner: null, note };
  await execs.end(execId, ['starting', 'running'], lostEnd(evidence));
  return endedOf(await execs.get(execId));
}

function endedOf({ state, exitCode }: Exec): ExecEnded {
  return { kind: 'ended', state, exitCode };
}
