import { describe, expect, it, jest } from '@jest/globals';
import { Worker } from '@temporalio/worker';
import { savedHistories } from './saved-histories.js';
import { WORKFLOW_BUNDLE } from './scripted-worker.js';

const REQUIRED = [
  'exec-succeeded',
  'exec-queued-then-woken',
  'exec-canceled-while-queued',
  'exec-canceled-while-running',
  'exec-not-started',
  'start-succeeded',
  'start-parked-then-retried',
  'start-aborted',
  'reconcile-succeeded',
  'reconcile-host-failed',
  'seal-succeeded',
  'seal-failed',
  'retention-succeeded',
  'retention-continued',
  'start-undone',
  'start-corrected',
  'start-taken-over',
  'start-canceled-while-parked',
  'stop-succeeded',
  'stop-parked-then-retried',
  'stop-undone',
  'stop-took-over',
  'restart-succeeded',
  'restart-parked-then-retried',
  'restart-undone',
  'restart-undo-failed',
  'restart-failed-without-park',
  'bulk-succeeded',
  'bulk-paused-then-resumed',
  'bulk-canceled',
  'bulk-canceled-in-temporal',
  'bulk-retried',
  'bulk-continued',
  'delete-succeeded',
  'delete-parked-then-retried',
  'delete-undone',
];

jest.setTimeout(120_000);

describe('saved histories', () => {
  const histories = savedHistories();

  it('cover each Workflow and each of its branches', () => {
    expect(histories.map((one) => one.name)).toEqual(expect.arrayContaining(REQUIRED));
  });

  it.each(histories)('of $name replay with the Workflow code of today', async ({ workflowId, history }) => {
    await Worker.runReplayHistory({ workflowBundle: { codePath: WORKFLOW_BUNDLE } }, history, workflowId);
  });

  it('of another Workflow do not replay', async () => {
    const [first] = histories;
    const tampered = structuredClone(first?.history ?? {});
    const started = tampered.events?.find((event) => event.activityTaskScheduledEventAttributes);
    if (started?.activityTaskScheduledEventAttributes?.activityType) {
      started.activityTaskScheduledEventAttributes.activityType.name = 'anotherActivity';
    }
    const replay = Worker.runReplayHistory(
      { workflowBundle: { codePath: WORKFLOW_BUNDLE } },
      tampered,
      'tampered',
    );
    await expect(replay).rejects.toThrow(/TMPRL1100/);
  });
});
