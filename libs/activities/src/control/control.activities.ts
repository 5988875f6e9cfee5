import {
  canceledBeforeStartEnd,
  EXEC_TRANSITIONS,
  isTerminal,
  lostEnd,
  notStartedEnd,
  OPERATION_TRANSITIONS,
  type Exec,
  type ExecId,
  type StepName,
} from '#domain';
import type { ControlActivities, ExecEnded } from '../contract.js';
import { translated } from '../failures.js';
import type { ControlActivityPorts } from './control-ports.js';
import { createControlSteps } from './control-steps.js';
import { endOperation } from './end-operation.js';
import { sweepRows } from './sweep.js';

const GUARD: StepName = 'check_restarts';

export function createControlActivities(ports: ControlActivityPorts): ControlActivities {
  const { sandboxes, execs, operations, wake } = ports;
  return translated<ControlActivities>({
    ...createControlSteps(ports),

    async parkOperation({ operationId, park }) {
      const isParked = await operations.move(operationId, ['pending', 'running', 'parked'], 'parked', {
        park,
        failure: park.failure,
      });
      wake.wake(`operation:${operationId}`);
      return { isParked };
    },

    async resumeOperation({ operationId, sandboxId, correction = {} }) {
      const { credentialId, branch, ...container } = correction;
      if (Object.keys(container).length > 0) {
        await sandboxes.correctByOperation(sandboxId, operationId, container);
        wake.wake(`sandbox:${sandboxId}`);
      }
      const { park } = await operations.get(operationId);
      // Whoever lets it go on has looked at why it did not stay up.
      if (park?.step === GUARD) await sandboxes.forgiveRestarts(sandboxId, operationId);
      if (credentialId !== undefined || branch !== undefined) {
        await operations.correctGit(operationId, {
          ...(credentialId === undefined ? {} : { credentialId }),
          ...(branch === undefined ? {} : { branch }),
        });
      }
      await operations.move(operationId, ['parked'], 'running');
      wake.wake(`operation:${operationId}`);
      return !isTerminal(OPERATION_TRANSITIONS, (await operations.get(operationId)).state);
    },

    endOperation: (input) => endOperation(ports, input),
    endStart: (input) => endOperation(ports, input),

    lookAtExec: ({ execId }) => lookAt(ports, execId),

    async withdrawExec({ execId, as }) {
      const end =
        as === 'canceled'
          ? canceledBeforeStartEnd()
          : notStartedEnd({ code: 'invalid_state', message: 'Its sandbox did not take it in time.' });
      if (as === 'canceled') await execs.requestCancel(execId);
      await execs.end(execId, ['queued'], end);
      return await lookAt(ports, execId);
    },

    async giveUpExec({ execId, note }) {
      return await giveUp(ports, execId, note);
    },

    async listHosts() {
      return (await ports.hosts.list()).filter(({ live }) => live).map(({ id }) => id);
    },

    sweep: () => sweepRows(ports),
  });
}

async function lookAt(
  { execs }: ControlActivityPorts,
  execId: ExecId,
): Promise<ExecEnded | { readonly kind: 'live' }> {
  const exec = await execs.get(execId);
  return isTerminal(EXEC_TRANSITIONS, exec.state) ? endedOf(exec) : { kind: 'live' };
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
