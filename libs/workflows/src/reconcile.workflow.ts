import { log, proxyActivities } from '@temporalio/workflow';
import type { ControlActivities, HostActivities, ReconcileResult } from '#activities';
import type { HostId } from '#domain';
import { CONTROL_TASK_QUEUE, hostTaskQueue } from './contract.js';

/**
 * Has each host compare its engine with the rows. A Schedule starts it; one that overlaps is skipped, so a host that does
 * not answer in time is left to the next pass and keeps no other from being looked at.
 */
export async function reconcile(): Promise<Readonly<Record<string, ReconcileResult | null>>> {
  const { listHosts } = proxyActivities<Pick<ControlActivities, 'listHosts'>>({
    taskQueue: CONTROL_TASK_QUEUE,
    startToCloseTimeout: '10s',
    retry: { maximumAttempts: 3 },
  });
  const hosts = await listHosts();
  const results = await Promise.all(hosts.map(async (id) => [id, await reconciled(id)] as const));
  return Object.fromEntries(results);
}

async function reconciled(hostId: HostId): Promise<ReconcileResult | null> {
  const { reconcileHost } = proxyActivities<HostActivities>({
    taskQueue: hostTaskQueue(hostId),
    startToCloseTimeout: '5m',
    scheduleToStartTimeout: '30s',
    heartbeatTimeout: '12s',
    retry: { maximumAttempts: 2 },
  });
  try {
    return await reconcileHost();
  } catch (error) {
    log.warn('A host was not reconciled in this pass.', { hostId, error });
    return null;
  }
}
