import { fileURLToPath } from 'node:url';
import { WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type {
  BulkActivities,
  ControlActivities,
  ExecActivities,
  HostActivities,
  RetentionActivities,
  SealingActivities,
} from '#activities';
import { CONTROL_TASK_QUEUE, hostExecTaskQueue, hostTaskQueue } from '#workflows/contract';
import type { TestNamespace } from '../stack/temporal-namespace.js';

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
});

export const WORKFLOW_BUNDLE = fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url));
export const SCRIPTED_HOST = 'scripted';

export type Script = ControlActivities & HostActivities & ExecActivities;
export type BulkScript = BulkActivities & ExecActivities;
export type KeepingScript = SealingActivities & RetentionActivities;
/** What runs of execs call. */
export type ExecScript = ExecActivities &
  Pick<HostActivities, 'cancelExec'> &
  Pick<ControlActivities, 'lookAtExec' | 'withdrawExec' | 'giveUpExec' | 'sweep'>;

/** Runs the real Workflows on the real server against Activities that a test scripts; stops the workers afterwards. */
export async function withScriptedWorkers<T>(
  namespace: TestNamespace,
  script: Partial<Script> | KeepingScript | BulkScript,
  work: () => Promise<T>,
): Promise<T> {
  const stop = await startScriptedWorkers(namespace, script);
  try {
    return await work();
  } finally {
    await stop();
  }
}

/** Returns the way to stop them. */
export async function startScriptedWorkers(
  namespace: TestNamespace,
  script: Partial<Script> | KeepingScript | BulkScript,
): Promise<() => Promise<void>> {
  const shared = { connection: namespace.native, namespace: namespace.name, activities: { ...script } };
  const workers = await Promise.all([
    Worker.create({
      ...shared,
      taskQueue: CONTROL_TASK_QUEUE,
      workflowBundle: { codePath: WORKFLOW_BUNDLE },
    }),
    Worker.create({ ...shared, taskQueue: hostTaskQueue(SCRIPTED_HOST) }),
    Worker.create({ ...shared, taskQueue: hostExecTaskQueue(SCRIPTED_HOST) }),
  ]);
  const running = workers.map((worker) => worker.run());
  return async () => {
    for (const worker of workers) worker.shutdown();
    await Promise.all(running);
  };
}

/** A run may have ended by what it was told before, which is quicker on one machine than on another. */
export async function signalUnlessOver(
  handle: WorkflowHandle,
  name: string,
  ...given: readonly unknown[]
): Promise<void> {
  try {
    await handle.signal(name, ...given);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
