import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ApplicationFailure, defineSearchAttributeKey } from '@temporalio/common';
import { v7 as uuidv7 } from 'uuid';
import type { RunExecResult } from '#activities';
import { execId, hostId, limits, ownerId, sandboxId, tenantId } from '#domain';
import {
  CANCEL_SIGNAL,
  CONTROL_TASK_QUEUE,
  EXEC_WORKFLOW,
  execWorkflowId,
  WAKE_SIGNAL,
  type ExecInput,
} from '#workflows/contract';
import { runningStack } from '../stack/running-stack.js';
import { createTestNamespace, type TestNamespace } from '../stack/temporal-namespace.js';
import { keepHistory } from './saved-histories.js';
import { SCRIPTED_HOST, withScriptedWorkers, type ExecScript } from './scripted-worker.js';

jest.setTimeout(120_000);

const HALF_AN_HOUR_SECONDS = 1_800;
const LARGE = 'x'.repeat(2 ** 19);

let namespace: TestNamespace;
beforeAll(async () => {
  namespace = await createTestNamespace(runningStack().temporalAddress);
}, 60_000);
afterAll(async () => namespace.close());

const SUCCEEDED: RunExecResult = { kind: 'ended', state: 'succeeded', exitCode: 0 };
const WAITING: RunExecResult = { kind: 'waiting', because: 'queue' };

/** Activities that do nothing but note their names, with what a test puts in their place. */
function script(calls: string[], change: Partial<ExecScript> = {}): ExecScript {
  const noted = (name: string) => async (): Promise<void> => void calls.push(name);
  return {
    runExec: async () => (calls.push('runExec'), SUCCEEDED),
    cancelExec: noted('cancelExec'),
    lookAtExec: async () => ({ kind: 'live' }),
    withdrawExec: async ({ as }) => (
      calls.push(`withdraw:${as}`),
      { kind: 'ended', state: as, exitCode: null }
    ),
    giveUpExec: async () => (calls.push('giveUp'), { kind: 'ended', state: 'lost', exitCode: null }),
    sweep: async () => ({
      started: 0,
      restarted: 0,
      idled: 0,
      verified: 0,
      repaired: 0,
      canceled: 0,
      woken: 0,
    }),
    ...change,
  };
}

const scope = () => ({
  tenantId: tenantId('default'),
  ownerId: ownerId('u1'),
  sandboxId: sandboxId(uuidv7()),
  hostId: hostId(SCRIPTED_HOST),
});

async function startExec(queueSeconds = 300) {
  const id = execId(uuidv7());
  const input: ExecInput = {
    ...scope(),
    execId: id,
    queueDeadlineMs: Date.now() + queueSeconds * 1_000,
    timeoutSeconds: 60,
    clockSlackMs: limits.CLOCK_JUMP_MS_MAX,
    looksFirst: true,
  };
  return await namespace.client.workflow.start(EXEC_WORKFLOW, {
    workflowId: execWorkflowId(id),
    taskQueue: CONTROL_TASK_QUEUE,
    args: [input],
  });
}

async function opStateOf(handle: Awaited<ReturnType<typeof startExec>>): Promise<string | undefined> {
  const { typedSearchAttributes } = await handle.describe();
  return typedSearchAttributes.get(defineSearchAttributeKey('OpState', 'KEYWORD'));
}

/** A promise and the way to fulfil it: how a test waits for an Activity and lets it go on. */
function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe('the exec Workflow', () => {
  it('costs one Activity where nothing is in the way', async () => {
    const calls: string[] = [];
    await withScriptedWorkers(namespace, script(calls), async () => {
      const handle = await startExec();
      expect(await handle.result()).toEqual({ state: 'succeeded', exitCode: 0 });
      expect(calls).toEqual(['runExec']);
      expect(await opStateOf(handle)).toBeUndefined();
      await keepHistory(namespace, 'exec-looked-then-succeeded', handle.workflowId);
    });
  });

  it('costs no Activity Task where its host was quicker, and names its state where that is not success', async () => {
    const calls: string[] = [];
    const lookAtExec: ExecScript['lookAtExec'] = async () => ({
      kind: 'ended',
      state: 'failed',
      exitCode: 3,
    });
    await withScriptedWorkers(namespace, script(calls, { lookAtExec }), async () => {
      const handle = await startExec();
      expect(await handle.result()).toEqual({ state: 'failed', exitCode: 3 });
      expect(calls).toEqual([]);
      expect(await opStateOf(handle)).toBe('failed');
      const { events } = await handle.fetchHistory();
      expect(events?.filter((event) => event.activityTaskScheduledEventAttributes)).toEqual([]);
      await keepHistory(namespace, 'exec-ended-before', handle.workflowId);
    });
  });

  it('waits for its turn and asks again when it is woken', async () => {
    const calls: string[] = [];
    const asked = gate();
    const runExec = async (): Promise<RunExecResult> => {
      calls.push('runExec');
      if (calls.length > 1) return SUCCEEDED;
      asked.open();
      return WAITING;
    };
    await withScriptedWorkers(namespace, script(calls, { runExec }), async () => {
      const handle = await startExec();
      await asked.opened;
      await handle.signal(WAKE_SIGNAL);
      expect(await handle.result()).toMatchObject({ state: 'succeeded' });
      expect(calls).toEqual(['runExec', 'runExec']);
      await keepHistory(namespace, 'exec-queued-then-woken', handle.workflowId);
    });
  });

  it('is withdrawn from the queue by a cancel, without touching the host', async () => {
    const calls: string[] = [];
    const asked = gate();
    let canceled = false;
    const runExec = async (): Promise<RunExecResult> => {
      asked.open();
      return canceled ? { kind: 'ended', state: 'canceled', exitCode: null } : WAITING;
    };
    const withdrawExec: ExecScript['withdrawExec'] = async ({ as }) => {
      canceled = true;
      calls.push(`withdraw:${as}`);
      return { kind: 'ended', state: as, exitCode: null };
    };
    await withScriptedWorkers(namespace, script(calls, { runExec, withdrawExec }), async () => {
      const handle = await startExec();
      await asked.opened;
      await handle.signal(CANCEL_SIGNAL);
      expect(await handle.result()).toMatchObject({ state: 'canceled' });
      expect(calls).toEqual(['withdraw:canceled']);
      await keepHistory(namespace, 'exec-canceled-while-queued', handle.workflowId);
    });
  });

  it.each(['signal', 'cancellation of the Workflow'])('ends a running command on a %s', async (way) => {
    const calls: string[] = [];
    const running = gate();
    const killed = gate();
    const runExec = async (): Promise<RunExecResult> => {
      running.open();
      await killed.opened;
      return { kind: 'ended', state: 'canceled', exitCode: null };
    };
    const withdrawExec: ExecScript['withdrawExec'] = async () => ({ kind: 'live' });
    const cancelExec = async (): Promise<void> => {
      calls.push('cancelExec');
      killed.open();
    };
    await withScriptedWorkers(namespace, script(calls, { runExec, withdrawExec, cancelExec }), async () => {
      const handle = await startExec();
      await running.opened;
      await (way === 'signal' ? handle.signal(CANCEL_SIGNAL) : handle.cancel());
      expect(await handle.result()).toMatchObject({ state: 'canceled' });
      expect(calls).toEqual(['cancelExec']);
      if (way === 'signal') await keepHistory(namespace, 'exec-canceled-while-running', handle.workflowId);
    });
  });

  it('waits for the end of its command although it could not be canceled, and cancels it when it is told again', async () => {
    const calls: string[] = [];
    const killed = gate();
    const failed = gate();
    const runExec = async (): Promise<RunExecResult> => {
      await killed.opened;
      return { kind: 'ended', state: 'canceled', exitCode: null };
    };
    const withdrawExec: ExecScript['withdrawExec'] = async () => ({ kind: 'live' });
    const cancelExec = async (): Promise<void> => {
      if (calls.push('cancelExec') > 1) return killed.open();
      failed.open();
      throw ApplicationFailure.nonRetryable('Not now.', 'invalid_state');
    };
    await withScriptedWorkers(namespace, script(calls, { runExec, withdrawExec, cancelExec }), async () => {
      const handle = await startExec();
      await handle.signal(CANCEL_SIGNAL);
      await failed.opened;
      // It is told until it hears: the failure of the first one may not have come to the run yet.
      const telling = setInterval(() => void handle.signal(CANCEL_SIGNAL).catch(() => undefined), 200);
      expect(await handle.result()).toMatchObject({ state: 'canceled' });
      clearInterval(telling);
      expect(calls).toEqual(['cancelExec', 'cancelExec']);
      await keepHistory(namespace, 'exec-canceled-again', handle.workflowId);
    });
  });

  it('is continued as a new one, which waits on, when its history has grown long in the queue', async () => {
    const calls: string[] = [];
    let isItsTurn = false;
    let looked = gate();
    const runExec = async (): Promise<RunExecResult> => {
      looked.open();
      return isItsTurn ? SUCCEEDED : WAITING;
    };
    await withScriptedWorkers(namespace, script(calls, { runExec }), async () => {
      const handle = await startExec();
      const { runId } = await handle.describe();
      // Temporal suggests a new one from some MiB on, and takes no more than that at once.
      while ((await handle.describe()).runId === runId) {
        await looked.opened;
        looked = gate();
        await handle.signal(WAKE_SIGNAL, LARGE);
      }
      isItsTurn = true;
      await handle.signal(WAKE_SIGNAL);
      expect(await handle.result()).toEqual({ state: 'succeeded', exitCode: 0 });
      expect(calls).toEqual([]);
    });
  });

  it('is not given up early where the clock has jumped by half an hour', async () => {
    const calls: string[] = [];
    const runExec = async (): Promise<RunExecResult> => (calls.push('runExec') === 1 ? WAITING : SUCCEEDED);
    const withdrawExec: ExecScript['withdrawExec'] = async () => ({ kind: 'live' });
    await withScriptedWorkers(namespace, script(calls, { runExec, withdrawExec }), async () => {
      const handle = await startExec(-HALF_AN_HOUR_SECONDS);
      expect(await handle.result()).toMatchObject({ state: 'succeeded' });
      expect(calls).toEqual(['runExec', 'runExec']);
    });
  });

  it('is given up when no host has ended it long after its time', async () => {
    const calls: string[] = [];
    const runExec = async (): Promise<RunExecResult> => WAITING;
    const withdrawExec: ExecScript['withdrawExec'] = async () => ({ kind: 'live' });
    await withScriptedWorkers(namespace, script(calls, { runExec, withdrawExec }), async () => {
      const handle = await startExec(-3 * HALF_AN_HOUR_SECONDS);
      expect(await handle.result()).toMatchObject({ state: 'lost' });
      expect(calls).toEqual(['giveUp']);
      await keepHistory(namespace, 'exec-given-up', handle.workflowId);
    });
  });

  it('ends as not_started when its time in the queue is over', async () => {
    const calls: string[] = [];
    const runExec = async (): Promise<RunExecResult> => WAITING;
    await withScriptedWorkers(namespace, script(calls, { runExec }), async () => {
      const handle = await startExec(1);
      expect(await handle.result()).toMatchObject({ state: 'not_started' });
      expect(calls).toEqual(['withdraw:not_started']);
      await keepHistory(namespace, 'exec-not-started', handle.workflowId);
    });
  });
});
