import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApplicationFailure, defineSearchAttributeKey } from '@temporalio/common';
import { uuidv7 } from 'uuidv7';
import type { RunExecResult } from '#activities';
import { execId, hostId, limits, operationId, ownerId, sandboxId, START_STEPS, tenantId } from '#domain';
import {
  CANCEL_SIGNAL,
  CONTROL_TASK_QUEUE,
  EXEC_WORKFLOW,
  execWorkflowId,
  operationWorkflowId,
  RETRY_SIGNAL,
  START_SANDBOX_WORKFLOW,
  WAKE_SIGNAL,
  ABORT_SIGNAL,
  type ExecInput,
  type OperationInput,
} from '#workflows/contract';
import { runningStack } from '../stack/running-stack.js';
import { createTestNamespace, type TestNamespace } from '../stack/temporal-namespace.js';
import { keepHistory } from './saved-histories.js';
import { SCRIPTED_HOST, withScriptedWorkers, type Script } from './scripted-worker.js';

let namespace: TestNamespace;
beforeAll(async () => {
  namespace = await createTestNamespace(runningStack().temporalAddress);
}, 60_000);
afterAll(async () => namespace.close());

const SUCCEEDED: RunExecResult = { kind: 'ended', state: 'succeeded', exitCode: 0 };
const WAITING: RunExecResult = { kind: 'waiting', because: 'queue' };

/** Activities that do nothing but note their names, with what a test puts in their place. */
function script(calls: string[], change: Partial<Script> = {}): Script {
  const noted = (name: string) => async (): Promise<void> => void calls.push(name);
  return {
    runExec: async () => (calls.push('runExec'), SUCCEEDED),
    cancelExec: noted('cancelExec'),
    prepareStorage: noted('prepare_storage'),
    createContainer: noted('create_container'),
    startContainer: noted('start_container'),
    awaitRunner: noted('await_runner'),
    openQueue: noted('open_queue'),
    parkOperation: async ({ park }) => (calls.push(`park:${park.step}:${park.parkNo}`), { isParked: true }),
    resumeOperation: noted('resume'),
    endStart: async ({ state }) => void calls.push(`end:${state}`),
    lookAtExec: async () => ({ kind: 'live' }),
    withdrawExec: async ({ as }) => (
      calls.push(`withdraw:${as}`),
      { kind: 'ended', state: as, exitCode: null }
    ),
    giveUpExec: async () => (calls.push('giveUp'), { kind: 'ended', state: 'lost', exitCode: null }),
    sweep: async () => ({ started: 0, restarted: 0, verified: 0, repaired: 0, canceled: 0 }),
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

async function startOperation() {
  const id = operationId(uuidv7());
  const input: OperationInput = { ...scope(), operationId: id };
  return await namespace.client.workflow.start(START_SANDBOX_WORKFLOW, {
    workflowId: operationWorkflowId(id),
    taskQueue: CONTROL_TASK_QUEUE,
    args: [input],
  });
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
    const lookAtExec: Script['lookAtExec'] = async () => ({ kind: 'ended', state: 'failed', exitCode: 3 });
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
    const withdrawExec: Script['withdrawExec'] = async ({ as }) => {
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
    const withdrawExec: Script['withdrawExec'] = async () => ({ kind: 'live' });
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

describe('the start Workflow', () => {
  it('runs its steps once each and in order', async () => {
    const calls: string[] = [];
    await withScriptedWorkers(namespace, script(calls), async () => {
      const handle = await startOperation();
      expect(await handle.result()).toEqual({ state: 'succeeded' });
      expect(calls).toEqual([...START_STEPS]);
      await keepHistory(namespace, 'start-succeeded', handle.workflowId);
    });
  });

  const ACTIVITY_OF_STEP = {
    prepare_storage: 'prepareStorage',
    create_container: 'createContainer',
    start_container: 'startContainer',
    await_runner: 'awaitRunner',
    open_queue: 'openQueue',
  } as const;

  it.each(START_STEPS)('parks when %s fails for good, and goes on from that step on retry', async (step) => {
    const calls: string[] = [];
    const parked = gate();
    let failed = false;
    const failing = async (): Promise<void> => {
      calls.push(step);
      if (failed) return;
      failed = true;
      throw ApplicationFailure.nonRetryable('No such image.', 'image_missing');
    };
    const parkOperation: Script['parkOperation'] = async ({ park }) => {
      calls.push(`park:${park.step}:${park.parkNo}`);
      parked.open();
      return { isParked: true };
    };
    const scripted = script(calls, { [ACTIVITY_OF_STEP[step]]: failing, parkOperation });
    await withScriptedWorkers(namespace, scripted, async () => {
      const handle = await startOperation();
      await parked.opened;
      await handle.signal(RETRY_SIGNAL, { step, parkNo: 99 });
      await handle.signal(RETRY_SIGNAL, { step: 'another', parkNo: 1 });
      await handle.signal(RETRY_SIGNAL, { step, parkNo: 1 });
      expect(await handle.result()).toEqual({ state: 'succeeded' });
      const at = START_STEPS.indexOf(step);
      expect(calls).toEqual([
        ...START_STEPS.slice(0, at + 1),
        `park:${step}:1`,
        'resume',
        ...START_STEPS.slice(at),
      ]);
      if (step === 'create_container') {
        await keepHistory(namespace, 'start-parked-then-retried', handle.workflowId);
      }
    });
  });

  it('leaves a step to its host for a day, and its failures to the count of the Activity', async () => {
    await withScriptedWorkers(namespace, script([]), async () => {
      const handle = await startOperation();
      await handle.result();
      const { events } = await handle.fetchHistory();
      const scheduled = events?.map((event) => event.activityTaskScheduledEventAttributes);
      const step = scheduled?.find((attributes) => attributes?.activityType?.name === 'startContainer');
      expect(Number(step?.scheduleToStartTimeout?.seconds) * 1_000).toBe(limits.STEP_MS_MAX);
      expect(step?.retryPolicy?.maximumAttempts ?? 0).toBe(0);
    });
  });

  it('ends, and waits for nobody, where its operation has ended without it', async () => {
    const calls: string[] = [];
    const prepareStorage = async (): Promise<void> => {
      throw ApplicationFailure.nonRetryable('The operation has ended.', 'invalid_state');
    };
    const parkOperation: Script['parkOperation'] = async () => ({ isParked: false });
    await withScriptedWorkers(namespace, script(calls, { prepareStorage, parkOperation }), async () => {
      const handle = await startOperation();
      expect(await handle.result()).toEqual({ state: 'failed' });
      expect(calls).toEqual(['end:failed']);
      await keepHistory(namespace, 'start-of-an-ended-operation', handle.workflowId);
    });
  });

  it('ends the start on abort, so that the sandbox is not left in between', async () => {
    const calls: string[] = [];
    const parked = gate();
    const awaitRunner = async (): Promise<void> => {
      throw ApplicationFailure.nonRetryable('No runner.', 'container_failed');
    };
    const parkOperation: Script['parkOperation'] = async () => (parked.open(), { isParked: true });
    await withScriptedWorkers(namespace, script(calls, { awaitRunner, parkOperation }), async () => {
      const handle = await startOperation();
      await parked.opened;
      await handle.signal(ABORT_SIGNAL, { step: 'await_runner', parkNo: 1 });
      expect(await handle.result()).toEqual({ state: 'canceled' });
      expect(calls.at(-1)).toBe('end:canceled');
      await keepHistory(namespace, 'start-aborted', handle.workflowId);
    });
  });
});
