import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { CONTROL_TASK_QUEUE, hostExecTaskQueue, hostTaskQueue } from '#workflows/contract';
import type { WorkerConfig } from './config.js';
import type { ControlRole } from './control-role.js';
import type { HostRole } from './host-role.js';

/** Written by the build, see scripts/bundle-workflows.ts. */
const WORKFLOW_BUNDLE = fileURLToPath(new URL('../../../workflow-bundle.js', import.meta.url));

const RETRY_MS = 500;
const GIVE_UP_AFTER_MS = 120_000;
const SHUTDOWN_FORCE = '7s';
const MAX_HEARTBEAT_THROTTLE = '5s';
const FOLLOWS_MAX = 1_000;
const LIFECYCLE_STEPS_MAX = 10;
const CACHED_WORKFLOWS_MAX = 200;

export async function connectTemporal(address: string, log: Logger): Promise<NativeConnection> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await NativeConnection.connect({ address });
    } catch (error) {
      if (performance.now() - startedAt > GIVE_UP_AFTER_MS) throw error;
      log.warn({ err: error }, 'Temporal does not answer yet.');
      await delay(RETRY_MS);
    }
  }
}

/** One Temporal worker per Task Queue that the roles of this process ask for. */
export async function createWorkers(
  connection: NativeConnection,
  config: WorkerConfig,
  parts: { readonly control: ControlRole | undefined; readonly host: HostRole | undefined },
): Promise<Map<string, Worker>> {
  const shared = {
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    maxHeartbeatThrottleInterval: MAX_HEARTBEAT_THROTTLE,
    shutdownForceTime: SHUTDOWN_FORCE,
  };
  const workers = new Map<string, Worker>();
  const add = async (options: Parameters<typeof Worker.create>[0]): Promise<void> => {
    workers.set(options.taskQueue, await Worker.create(options));
  };
  if (parts.control) {
    await add({
      ...shared,
      taskQueue: CONTROL_TASK_QUEUE,
      workflowBundle: { codePath: WORKFLOW_BUNDLE },
      activities: parts.control.activities,
      maxCachedWorkflows: CACHED_WORKFLOWS_MAX,
    });
  }
  if (parts.host) {
    await add({
      ...shared,
      taskQueue: hostTaskQueue(config.BERTH_HOST_ID),
      activities: parts.host.activities,
      maxConcurrentActivityTaskExecutions: LIFECYCLE_STEPS_MAX,
    });
    await add({
      ...shared,
      taskQueue: hostExecTaskQueue(config.BERTH_HOST_ID),
      activities: parts.host.execActivities,
      maxConcurrentActivityTaskExecutions: FOLLOWS_MAX,
    });
  }
  return workers;
}
