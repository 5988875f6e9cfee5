import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  limits,
  OPERATION_PLANS,
  planOperation,
  stagesOf,
  undosOf,
  type OperationKind,
  type StepName,
} from '#domain';
import { ABORT_SIGNAL, operationWorkflowId, RETRY_SIGNAL } from '#workflows/contract';
import { runningStack } from '../stack/running-stack.js';
import { createTestNamespace, type TestNamespace } from '../stack/temporal-namespace.js';
import { keepHistory } from './saved-histories.js';
import { KINDS, ScriptedRuns, stepsOf } from './scripted-operations.js';
import { signalUnlessOver, startScriptedWorkers } from './scripted-worker.js';

jest.setTimeout(120_000);

let namespace: TestNamespace;
let stop: () => Promise<void>;
const runs = new ScriptedRuns(() => namespace);

beforeAll(async () => {
  namespace = await createTestNamespace(runningStack().temporalAddress);
  stop = await startScriptedWorkers(namespace, runs.activities);
}, 60_000);
afterAll(async () => {
  await stop();
  await namespace.close();
});

/** Their steps are those of a commit and push, or fail and are undone as its are. */
const ALIKE: ReadonlySet<OperationKind> = new Set(['git_commit', 'git_push', 'git_pull', 'git_pull_request']);
const EACH_STEP = KINDS.filter((kind) => !ALIKE.has(kind)).flatMap((kind) =>
  stepsOf(kind).map((step) => [kind, step] as const),
);
/** Those whose history is kept, one of each shape. */
const KEPT: Partial<Record<OperationKind, StepName>> = {
  start: 'create_container',
  stop: 'stop_container',
  restart: 'await_runner',
  delete: 'remove_storage',
  git_clone: 'clone_repository',
  git_commit_and_push: 'push_branch',
  snapshot: 'write_snapshot',
  restore: 'create_container',
  change: 'create_container',
};

/** Of runs that take a turn for each stage; those of before have no suffix. */
function historyOf(kind: OperationKind, course: string): string {
  const isStaged = stagesOf(planOperation(kind, {})).some(({ length }) => length > 1);
  return `${kind}-${course}${isStaged ? '-in-stages' : ''}`;
}

function undosAfter(kind: OperationKind, step: StepName): string[] {
  return undosOf(planOperation(kind, {}), stepsOf(kind).indexOf(step) + 1);
}

describe('the run of an operation', () => {
  it.each(KINDS)('of kind %s does each step once and in order', async (kind) => {
    const run = runs.add();
    const handle = await run.start(kind);
    expect(await handle.result()).toEqual({ state: 'succeeded' });
    expect(run.calls).toEqual(stepsOf(kind));
    await keepHistory(namespace, historyOf(kind, 'succeeded'), handle.workflowId);
  });

  it('leaves a step to its host for a day, and its failures to the count of the Activity', async () => {
    const handle = await runs.add().start('start');
    await handle.result();
    const { events } = await handle.fetchHistory();
    const scheduled = events?.map((event) => event.activityTaskScheduledEventAttributes);
    const step = scheduled?.find((attributes) => attributes?.activityType?.name === 'doStage');
    expect(Number(step?.scheduleToStartTimeout?.seconds) * 1_000).toBe(limits.STEP_MS_MAX);
    expect(step?.retryPolicy?.maximumAttempts ?? 0).toBe(0);
  });

  it('waits for execs only where its request says so', async () => {
    const run = runs.add();
    const options = { running: 'wait', waitSeconds: 5 } as const;
    await (await run.start('restart', { options })).result();
    expect(run.calls).toEqual(planOperation('restart', options).map(({ step }) => step));
    expect(run.calls).toContain('await_execs');
  });

  it('looks at restarts and waits for health only where its row says so, and has no step that no row asks for', async () => {
    const options = { running: 'wait', because: 'unhealthy', awaitsHealth: true, snapshot: true } as const;
    const run = runs.add();
    const handle = await run.start('restart', { options });
    await handle.result();
    expect(run.calls).toEqual(OPERATION_PLANS.restart.map(({ step }) => step));
    await keepHistory(namespace, 'restart-that-ends-execs-before-its-snapshot', handle.workflowId);
  });

  it.each(['check_restarts', 'await_health'] as const)(
    'that nobody asked for parks at %s, and goes on from there on retry',
    async (step) => {
      const options = { because: 'unhealthy', awaitsHealth: true } as const;
      const run = runs.add({ [step]: 1 });
      const handle = await run.start('start', { options });
      await run.parked();
      await handle.signal(RETRY_SIGNAL, { step, parkNo: 1 });
      expect(await handle.result()).toEqual({ state: 'succeeded' });
      const steps = planOperation('start', options).map((planned) => planned.step);
      const at = steps.indexOf(step);
      expect(at).toBeGreaterThanOrEqual(0);
      expect(run.calls).toEqual([...steps.slice(0, at + 1), `park:${step}:1`, 'resume', ...steps.slice(at)]);
      await keepHistory(namespace, `start-parked-at-${step}`, handle.workflowId);
    },
  );

  it('gives up by itself, and undoes what it began, when nobody decides in time', async () => {
    const run = runs.add({ start_container: 1 });
    const handle = await run.start('start', { parkDeadlineMs: 200 });
    expect(await handle.result()).toEqual({ state: 'failed' });
    const began = stepsOf('start').slice(0, stepsOf('start').indexOf('start_container') + 1);
    expect(run.calls).toEqual([
      ...began,
      'park:start_container:1',
      'resume',
      ...undosAfter('start', 'start_container'),
      'end:failed:No start_container.',
    ]);
  });

  it.each(EACH_STEP)('of kind %s parks at %s and goes on from there on retry', async (kind, step) => {
    const run = runs.add({ [step]: 1 });
    const handle = await run.start(kind);
    await run.parked();
    for (const stale of [{ step, parkNo: 99 }, { step: 'another', parkNo: 1 }, { step }, undefined, 'x']) {
      await handle.signal(RETRY_SIGNAL, stale);
      await handle.signal(ABORT_SIGNAL, stale);
    }
    await handle.signal(RETRY_SIGNAL, { step, parkNo: 1 });
    // The first decision counts.
    for (const again of [RETRY_SIGNAL, ABORT_SIGNAL]) {
      await signalUnlessOver(handle, again, { step, parkNo: 1 });
    }
    expect(await handle.result()).toEqual({ state: 'succeeded' });
    const steps = stepsOf(kind);
    const at = steps.indexOf(step);
    expect(run.calls).toEqual([...steps.slice(0, at + 1), `park:${step}:1`, 'resume', ...steps.slice(at)]);
    if (KEPT[kind] === step)
      await keepHistory(namespace, historyOf(kind, 'parked-then-retried'), handle.workflowId);
  });

  it.each(EACH_STEP)('of kind %s undoes what it began when it is aborted at %s', async (kind, step) => {
    const run = runs.add({ [step]: 1 });
    const handle = await run.start(kind);
    await run.parked();
    await handle.signal(ABORT_SIGNAL, { step, parkNo: 1 });
    await signalUnlessOver(handle, ABORT_SIGNAL, { step, parkNo: 1 });
    expect(await handle.result()).toEqual({ state: 'canceled' });
    const began = stepsOf(kind).slice(0, stepsOf(kind).indexOf(step) + 1);
    expect(run.calls).toEqual([
      ...began,
      `park:${step}:1`,
      'resume',
      ...undosAfter(kind, step),
      `end:canceled:No ${step}.`,
    ]);
    if (KEPT[kind] === step) await keepHistory(namespace, historyOf(kind, 'undone'), handle.workflowId);
  });

  it.each(EACH_STEP.filter(([kind, step]) => undosAfter(kind, step).length > 0))(
    'of kind %s, aborted at %s, does the other undos when one fails, and says so',
    async (kind, step) => {
      const undos = undosAfter(kind, step);
      const [failing] = undos as ['discard_container'];
      const run = runs.add({ [step]: 1, [failing]: 1 });
      const handle = await run.start(kind);
      await run.parked();
      await handle.signal(ABORT_SIGNAL, { step, parkNo: 1 });
      expect(await handle.result()).toEqual({ state: 'failed' });
      expect(run.calls.slice(-undos.length - 1)).toEqual([
        ...undos,
        `end:failed:No ${step}. Undoing it failed at ${failing}: No ${failing}.`,
      ]);
      if (kind === 'restart' && step === 'await_runner') {
        await keepHistory(namespace, 'restart-undo-failed', handle.workflowId);
      }
    },
  );

  it('parks again under a new number, and a decision for the old one has no effect', async () => {
    const run = runs.add({ stop_container: 2 });
    const handle = await run.start('stop');
    await run.parked();
    await handle.signal(RETRY_SIGNAL, { step: 'stop_container', parkNo: 1 });
    await run.parked(2);
    await handle.signal(ABORT_SIGNAL, { step: 'stop_container', parkNo: 1 });
    await handle.signal(RETRY_SIGNAL, { step: 'stop_container', parkNo: 2 });
    expect(await handle.result()).toEqual({ state: 'succeeded' });
    expect(run.calls.filter((call) => call.startsWith('park'))).toEqual([
      'park:stop_container:1',
      'park:stop_container:2',
    ]);
  });

  it('takes the correction of a retry over, and ignores a signal whose input makes no sense', async () => {
    const run = runs.add({ create_container: 1 });
    const handle = await run.start('start');
    await run.parked();
    const decision = { step: 'create_container', parkNo: 1 };
    for (const input of ['x', { image: '-v' }, { tier: 'huge' }, { image: 'a', user: 'root' }]) {
      await handle.signal(RETRY_SIGNAL, { ...decision, input });
    }
    await handle.signal(RETRY_SIGNAL, { ...decision, input: { image: 'berth/base:2', tier: 'small' } });
    expect(await handle.result()).toEqual({ state: 'succeeded' });
    expect(run.calls.filter((call) => call.startsWith('resume'))).toEqual([
      'resume:{"image":"berth/base:2","tier":"small"}',
    ]);
    await keepHistory(namespace, 'start-corrected', handle.workflowId);
  });

  it('gives up after twenty parks, by itself', async () => {
    const run = runs.add({ hold_queue: 21 });
    const handle = await run.start('stop');
    for (let parkNo = 1; parkNo <= 20; parkNo++) {
      await run.parked(parkNo);
      await handle.signal(RETRY_SIGNAL, { step: 'hold_queue', parkNo });
    }
    expect(await handle.result()).toEqual({ state: 'failed' });
    expect(run.calls.at(-1)).toBe('end:failed:No hold_queue.');
  });

  it('does not park as the item of a bulk operation: it is undone and ends', async () => {
    const run = runs.add({ create_container: 1 });
    const handle = await run.start('restart', { parks: false });
    expect(await handle.result()).toEqual({ state: 'failed' });
    expect(run.calls.slice(-4)).toEqual([
      'resume',
      'discard_container',
      'observe_container',
      'end:failed:No create_container.',
    ]);
    await keepHistory(namespace, 'restart-failed-without-park', handle.workflowId);
  });

  it('undoes what it began when its Workflow is canceled', async () => {
    const run = runs.add({ create_container: 1 });
    const handle = await run.start('start');
    await run.parked();
    await handle.cancel();
    expect(await handle.result()).toEqual({ state: 'canceled' });
    expect(run.calls.slice(-3)).toEqual([
      'discard_container',
      'observe_container',
      'end:canceled:The run was canceled.',
    ]);
    await keepHistory(namespace, 'start-canceled-while-parked', handle.workflowId);
  });
});

describe('a run that another one has taken over', () => {
  it('is woken by it, and touches nothing any more', async () => {
    const parked = runs.add({ create_container: 1 });
    const before = await parked.start('start');
    await parked.parked();
    parked.holds = false;
    const run = runs.add();
    const tookOver = { operationId: parked.id, step: 'create_container', parkNo: 1 };
    const handle = await run.start('stop', { tookOver });
    expect(await handle.result()).toEqual({ state: 'succeeded' });
    expect(await before.result()).toEqual({ state: 'canceled' });
    expect(parked.calls.slice(2)).toEqual(['park:create_container:1', 'resume']);
    expect(run.calls).toEqual(stepsOf('stop'));
    await keepHistory(namespace, 'stop-took-over', handle.workflowId);
    await keepHistory(namespace, 'start-taken-over', before.workflowId);
  });

  it('does not go on when somebody retries it instead', async () => {
    const parked = runs.add({ create_container: 1 });
    const handle = await parked.start('start');
    await parked.parked();
    parked.holds = false;
    await handle.signal(RETRY_SIGNAL, { step: 'create_container', parkNo: 1 });
    expect(await handle.result()).toEqual({ state: 'canceled' });
    expect(parked.calls.filter((call) => call === 'create_container')).toHaveLength(1);
  });

  it('does not park when it was taken over while a step failed', async () => {
    const parked = runs.add({ create_container: 1 });
    parked.holds = false;
    const handle = await parked.start('restart');
    expect(await handle.result()).toEqual({ state: 'canceled' });
  });

  it('may be gone: the new run goes on without it', async () => {
    const run = runs.add();
    const tookOver = { operationId: runs.add().id, step: 'x', parkNo: 1 };
    expect(await (await run.start('delete', { tookOver })).result()).toEqual({ state: 'succeeded' });
  });
});

describe('what the Web UI shows of a run', () => {
  it('is each step with its times, and at a parked one every way to decide it', async () => {
    const run = runs.add({ await_runner: 1 });
    const handle = await run.start('restart');
    await run.parked();
    const { definition, currentDetails } = await metadataOf(handle.workflowId);
    expect(definition).toBe('restartSandbox');
    for (const text of [
      '**Parked at `await_runner`** (container_failed): No await_runner.',
      `berth op retry ${run.id}`,
      `/v1/operations/${run.id}/abort`,
      `temporal workflow signal --workflow-id ${operationWorkflowId(run.id)} --name retry --input '{"step":"await_runner","parkNo":1}'`,
      '| stop_container | ✓ | 1 |',
      '| await_runner | ✗ | 1 |',
      'Check: ',
    ]) {
      expect(currentDetails).toContain(text);
    }
    await handle.signal(RETRY_SIGNAL, { step: 'await_runner', parkNo: 1 });
    await handle.result();
    const after = await metadataOf(handle.workflowId);
    expect(after.currentDetails).not.toContain('Parked');
    expect(after.currentDetails).toContain('| open_queue | ✓ | 1 |');
  });

  async function metadataOf(workflowId: string) {
    const answer = await namespace.client.workflow
      .getHandle(workflowId)
      .query<{ definition?: { type?: string }; currentDetails?: string }>('__temporal_workflow_metadata');
    return { definition: answer.definition?.type, currentDetails: answer.currentDetails ?? '' };
  }
});
