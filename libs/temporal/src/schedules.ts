import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import { CONTROL_TASK_QUEUE, SWEEP_SCHEDULE_ID, SWEEP_WORKFLOW } from '#workflows/contract';
import type { TemporalConnection } from './connection.js';

const SWEEP_EVERY = '10s';

/** Creates the Schedules of the system under fixed ids; what exists is left as it is. */
export async function ensureSchedules(temporal: TemporalConnection): Promise<void> {
  try {
    await temporal.call((client) =>
      client.schedule.create({
        scheduleId: SWEEP_SCHEDULE_ID,
        spec: { intervals: [{ every: SWEEP_EVERY }] },
        policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: SWEEP_EVERY },
        action: {
          type: 'startWorkflow',
          workflowType: SWEEP_WORKFLOW,
          workflowId: SWEEP_SCHEDULE_ID,
          taskQueue: CONTROL_TASK_QUEUE,
          args: [],
          workflowRunTimeout: '5m',
        },
      }),
    );
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}
