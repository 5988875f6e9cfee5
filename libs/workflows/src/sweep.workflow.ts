import { proxyActivities } from '@temporalio/workflow';
import type { ControlActivities, SweepResult } from '#activities';
import { CONTROL_TASK_QUEUE } from './contract.js';

/** Closes the gaps between rows and runs. A Schedule starts it; one that overlaps is skipped, so it must stay short. */
export async function sweep(): Promise<SweepResult> {
  const control = proxyActivities<ControlActivities>({
    taskQueue: CONTROL_TASK_QUEUE,
    startToCloseTimeout: '60s',
    retry: { maximumAttempts: 3 },
  });
  return await control.sweep();
}
