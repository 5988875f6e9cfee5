import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { RetentionActivities, RetentionResult } from '#activities';
import { CONTROL_TASK_QUEUE } from './contract.js';

/**
 * Removes output that is not kept any more. A Schedule starts it; each run goes on where the last one stopped. Without
 * the result of a last one it begins with the first owner, so nothing depends on it.
 */
export async function retention(): Promise<RetentionResult> {
  const last = workflowInfo().lastResult as RetentionResult | undefined;
  const { applyRetention } = proxyActivities<RetentionActivities>({
    taskQueue: CONTROL_TASK_QUEUE,
    startToCloseTimeout: '10m',
    heartbeatTimeout: '30s',
    retry: { maximumAttempts: 3 },
  });
  return await applyRetention({ after: last?.next ?? null });
}
