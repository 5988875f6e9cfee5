import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { ReconcileResult } from '#activities';
import { hostId } from '#domain';
import { CONTROL_TASK_QUEUE, RECONCILE_WORKFLOW } from '#workflows/contract';
import { runningStack } from '../stack/running-stack.js';
import { createTestNamespace, type TestNamespace } from '../stack/temporal-namespace.js';
import { keepHistory } from './saved-histories.js';
import { SCRIPTED_HOST, withScriptedWorkers } from './scripted-worker.js';

jest.setTimeout(120_000);

const DONE: ReconcileResult = { looked: 3, changed: 1, reclaimed: 0, removed: 0, reported: 0 };

let namespace: TestNamespace;
beforeAll(async () => {
  namespace = await createTestNamespace(runningStack().temporalAddress);
}, 60_000);
afterAll(async () => namespace.close());

describe('the reconcile Workflow', () => {
  it('tells what each host did, and goes on without one that fails', async () => {
    let fails = false;
    const script = {
      listHosts: async () => await Promise.resolve([hostId(SCRIPTED_HOST)]),
      reconcileHost: async () => {
        if (fails) throw new Error('The engine is away.');
        return await Promise.resolve(DONE);
      },
    };
    await withScriptedWorkers(namespace, script, async () => {
      for (const [name, expected] of [
        ['reconcile-succeeded', DONE],
        ['reconcile-host-failed', null],
      ] as const) {
        fails = expected === null;
        const handle = await namespace.client.workflow.start(RECONCILE_WORKFLOW, {
          workflowId: name,
          taskQueue: CONTROL_TASK_QUEUE,
          args: [],
        });
        expect(await handle.result()).toEqual({ [SCRIPTED_HOST]: expected });
        await keepHistory(namespace, name, handle.workflowId);
      }
    });
  });
});
