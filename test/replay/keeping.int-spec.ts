import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { RetentionResult, SealResult } from '#activities';
import { ownerId, tenantId } from '#domain';
import { CONTROL_TASK_QUEUE, RETENTION_WORKFLOW, SEAL_WORKFLOW } from '#workflows/contract';
import { runningStack } from '../stack/running-stack.js';
import { createTestNamespace, type TestNamespace } from '../stack/temporal-namespace.js';
import { keepHistory } from './saved-histories.js';
import { withScriptedWorkers, type KeepingScript } from './scripted-worker.js';

const SEALED: SealResult = { indexed: 3, segments: 1, execs: 2, packs: 1, postponed: 0, stoppedBy: null };
const REMOVED: RetentionResult = { next: null, expired: 2, erased: 2, removed: 1, stoppedBy: null };

jest.setTimeout(120_000);

let namespace: TestNamespace;
beforeAll(async () => {
  namespace = await createTestNamespace(runningStack().temporalAddress);
}, 60_000);
afterAll(async () => namespace.close());

const script = (change: Partial<KeepingScript> = {}): KeepingScript => ({
  sealOutput: async () => await Promise.resolve(SEALED),
  applyRetention: async () => await Promise.resolve(REMOVED),
  ...change,
});

const start = async (workflow: string, workflowId: string) =>
  await namespace.client.workflow.start(workflow, {
    workflowId,
    taskQueue: CONTROL_TASK_QUEUE,
    args: [],
  });

describe('the seal Workflow', () => {
  it('is one pass and tells what it did', async () => {
    await withScriptedWorkers(namespace, script(), async () => {
      const handle = await start(SEAL_WORKFLOW, 'seal-once');
      expect(await handle.result()).toEqual(SEALED);
      await keepHistory(namespace, 'seal-succeeded', handle.workflowId);
    });
  });

  it('tries again a few times, then leaves it to the next run of the Schedule', async () => {
    let attempts = 0;
    const sealOutput = async (): Promise<SealResult> => {
      attempts += 1;
      throw ApplicationFailure.retryable('The database does not answer.', 'dependency_unavailable');
    };
    await withScriptedWorkers(namespace, script({ sealOutput }), async () => {
      const handle = await start(SEAL_WORKFLOW, 'seal-failed');
      await expect(handle.result()).rejects.toThrow('Workflow execution failed');
      expect(attempts).toBe(3);
      await keepHistory(namespace, 'seal-failed', handle.workflowId);
    });
  });
});

describe('the retention Workflow', () => {
  it('begins with the first owner', async () => {
    const asked: unknown[] = [];
    const applyRetention: KeepingScript['applyRetention'] = async (input) => (asked.push(input), REMOVED);
    await withScriptedWorkers(namespace, script({ applyRetention }), async () => {
      const handle = await start(RETENTION_WORKFLOW, 'retention-once');
      expect(await handle.result()).toEqual(REMOVED);
      expect(asked).toEqual([{ after: null }]);
      await keepHistory(namespace, 'retention-succeeded', handle.workflowId);
    });
  });

  it('goes on where the last run of its Schedule stopped', async () => {
    const next = { tenantId: tenantId('default'), ownerId: ownerId('u7') };
    let continued = (_workflowId: string): void => undefined;
    const run = new Promise<string>((resolve) => (continued = resolve));
    const applyRetention: KeepingScript['applyRetention'] = async ({ after }) => {
      if (after !== null) {
        expect(after).toEqual(next);
        continued(Context.current().info.workflowExecution?.workflowId ?? '');
      }
      return await Promise.resolve({ ...REMOVED, next: after === null ? next : null });
    };
    await withScriptedWorkers(namespace, script({ applyRetention }), async () => {
      const schedule = await namespace.client.schedule.create({
        scheduleId: 'retention-test',
        spec: { intervals: [{ every: '1s' }] },
        action: {
          type: 'startWorkflow',
          workflowType: RETENTION_WORKFLOW,
          workflowId: 'retention-of-schedule',
          taskQueue: CONTROL_TASK_QUEUE,
          args: [],
        },
      });
      try {
        const workflowId = await run;
        expect(await namespace.client.workflow.getHandle(workflowId).result()).toMatchObject({ next: null });
        await keepHistory(namespace, 'retention-continued', workflowId);
      } finally {
        await schedule.delete();
      }
    });
  });
});
