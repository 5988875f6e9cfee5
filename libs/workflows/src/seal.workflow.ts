import { proxyActivities } from '@temporalio/workflow';
import type { SealingActivities, SealResult } from '#activities';
import { CONTROL_TASK_QUEUE } from './contract.js';

/**
 * Moves output into object storage. A Schedule starts it; one that overlaps is skipped. It must never carry output: the
 * Activity moves bytes and answers with counts.
 */
export async function seal(): Promise<SealResult> {
  const { sealOutput } = proxyActivities<SealingActivities>({
    taskQueue: CONTROL_TASK_QUEUE,
    startToCloseTimeout: '5m',
    heartbeatTimeout: '30s',
    retry: { maximumAttempts: 3 },
  });
  return await sealOutput();
}
