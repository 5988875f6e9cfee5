import { CancellationScope, proxyActivities, upsertSearchAttributes } from '@temporalio/workflow';
import type { ControlActivities, HostActivities } from '#activities';
import { limits, type StartStep } from '#domain';
import { OP_STATE } from './attributes.js';
import { CONTROL_TASK_QUEUE, hostTaskQueue, type OperationInput, type OperationResult } from './contract.js';
import { AbortedError, OperationRun } from './operation-run.js';

/** How often is for the Activity to say, which knows a failure of the step from an attempt that was lost with its worker. */
const STEP_RETRY = { initialInterval: '500ms', maximumInterval: '5s' } as const;

/**
 * Brings a sandbox up: a container of a new generation with a runner that answers, and then its queue opens. Each step
 * is safe to repeat and fenced by the operation and the generation. It must never leave the sandbox in `starting`.
 */
export async function startSandbox(input: OperationInput): Promise<OperationResult> {
  const run = new OperationRun(input);
  const control = proxyActivities<ControlActivities>({
    taskQueue: CONTROL_TASK_QUEUE,
    startToCloseTimeout: '30s',
  });
  const host = proxyActivities<HostActivities>({
    taskQueue: hostTaskQueue(input.hostId),
    startToCloseTimeout: '15m',
    heartbeatTimeout: '12s',
    scheduleToCloseTimeout: limits.STEP_MS_MAX,
    retry: STEP_RETRY,
  });
  const ref = { operationId: input.operationId, sandboxId: input.sandboxId };
  const steps: readonly [StartStep, () => Promise<void>][] = [
    ['prepare_storage', () => host.prepareStorage(ref)],
    ['create_container', () => host.createContainer(ref)],
    ['start_container', () => host.startContainer(ref)],
    ['await_runner', () => host.awaitRunner(ref)],
    ['open_queue', () => control.openQueue(ref)],
  ];

  try {
    for (const [name, attempt] of steps) await run.step(name, attempt);
  } catch (error) {
    const end =
      error instanceof AbortedError
        ? { state: error.asked ? ('canceled' as const) : ('failed' as const), failure: error.failure }
        : {
            state: 'canceled' as const,
            failure: { code: 'invalid_state' as const, message: 'The run was canceled.' },
          };
    await CancellationScope.nonCancellable(() => control.endStart({ ...ref, ...end }));
    upsertSearchAttributes([{ key: OP_STATE, value: end.state }]);
    return { state: end.state };
  }
  upsertSearchAttributes([{ key: OP_STATE, value: 'succeeded' }]);
  return { state: 'succeeded' };
}
