import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import {
  CONTROL_TASK_QUEUE,
  RECONCILE_SCHEDULE_ID,
  RECONCILE_WORKFLOW,
  RETENTION_SCHEDULE_ID,
  RETENTION_WORKFLOW,
  SEAL_SCHEDULE_ID,
  SEAL_WORKFLOW,
  SWEEP_SCHEDULE_ID,
  SWEEP_WORKFLOW,
} from '#workflows/contract';
import type { TemporalConnection } from './connection.js';

type Interval = `${number}${'s' | 'm'}`;

interface SystemSchedule {
  readonly id: string;
  readonly workflow: string;
  readonly every: Interval;
  /** A run that is still going after this long is ended, so that the next one can begin. */
  readonly runTimeout: Interval;
}

const SCHEDULES: readonly SystemSchedule[] = [
  { id: SWEEP_SCHEDULE_ID, workflow: SWEEP_WORKFLOW, every: '10s', runTimeout: '5m' },
  { id: RECONCILE_SCHEDULE_ID, workflow: RECONCILE_WORKFLOW, every: '30s', runTimeout: '10m' },
  { id: SEAL_SCHEDULE_ID, workflow: SEAL_WORKFLOW, every: '10s', runTimeout: '20m' },
  { id: RETENTION_SCHEDULE_ID, workflow: RETENTION_WORKFLOW, every: '5m', runTimeout: '35m' },
];

/** Creates the Schedules of the system under fixed ids; what exists is left as it is. */
export async function ensureSchedules(temporal: TemporalConnection): Promise<void> {
  for (const schedule of SCHEDULES) await ensureSchedule(temporal, schedule);
}

async function ensureSchedule(temporal: TemporalConnection, schedule: SystemSchedule): Promise<void> {
  try {
    await temporal.call((client) =>
      client.schedule.create({
        scheduleId: schedule.id,
        spec: { intervals: [{ every: schedule.every }] },
        policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: schedule.every },
        action: {
          type: 'startWorkflow',
          workflowType: schedule.workflow,
          workflowId: schedule.id,
          taskQueue: CONTROL_TASK_QUEUE,
          args: [],
          workflowRunTimeout: schedule.runTimeout,
        },
      }),
    );
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}
