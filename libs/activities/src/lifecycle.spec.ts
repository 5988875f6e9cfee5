import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  execId,
  LIFECYCLE_KINDS,
  operationId,
  planOperation,
  snapshotId,
  undosOf,
  type Operation,
  type OperationOptions,
  type Park,
  type StepName,
  type Undo,
} from '#domain';
import { LifecycleWorld } from '../../../test/fakes/lifecycle-world.js';
import type { EngineCall } from '../../../test/fakes/memory-engine.js';

let life: LifecycleWorld;

beforeEach(async () => {
  life = new LifecycleWorld();
  await life.makeSandbox();
});

type LifecycleKind = (typeof LIFECYCLE_KINDS)[number];

const stepsOf = (kind: LifecycleKind): StepName[] => planOperation(kind, {}).map(({ step }) => step);
const EVERY_UNDO: readonly Undo[] = [
  ...new Set(LIFECYCLE_KINDS.flatMap((kind) => undosOf(planOperation(kind, {}), stepsOf(kind).length))),
];

/** What a request of this kind must say, with what it needs. */
async function optionsOf(kind: LifecycleKind): Promise<OperationOptions> {
  if (kind === 'change') return { tier: 'large', image: 'another' };
  if (kind !== 'restore') return {};
  const [known] = life.world.snapshots.rows.keys();
  if (known !== undefined) return { snapshotId: known };
  const { result } = await run('snapshot');
  return { snapshotId: snapshotId(String(result?.['snapshotId'])) };
}

async function run(kind: LifecycleKind, times = 1): Promise<Operation> {
  const operation = await life.request(kind, await optionsOf(kind));
  for (const step of stepsOf(kind)) {
    for (let time = 1; time <= times; time++) await life.attempt(step, operation);
  }
  return await life.world.operations.get(operation.id);
}

const AFTER: Record<
  LifecycleKind,
  { state: string; containers: number; volumes: number; generation: number }
> = {
  start: { state: 'running', containers: 1, volumes: 1, generation: 1 },
  stop: { state: 'stopped', containers: 1, volumes: 1, generation: 1 },
  restart: { state: 'running', containers: 1, volumes: 1, generation: 2 },
  delete: { state: 'deleted', containers: 0, volumes: 0, generation: 1 },
  snapshot: { state: 'running', containers: 1, volumes: 1, generation: 1 },
  restore: { state: 'running', containers: 1, volumes: 1, generation: 2 },
  change: { state: 'running', containers: 1, volumes: 1, generation: 2 },
};

function expectAfter(kind: LifecycleKind): void {
  const { engine, sandbox } = life;
  expect({
    state: sandbox.observedState,
    containers: engine.containers.size,
    volumes: engine.volumes.size,
    generation: sandbox.generation,
  }).toEqual(AFTER[kind]);
}

describe('the steps of an operation', () => {
  it.each(LIFECYCLE_KINDS)('of kind %s have the same effect when each is taken twice', async (kind) => {
    if (kind !== 'start') await run('start');
    const operation = await run(kind, 2);
    expect(operation).toMatchObject({ state: 'succeeded', failure: null });
    expect(operation.steps.map(({ name, state }) => [name, state])).toEqual(
      stepsOf(kind).map((step) => [step, 'succeeded']),
    );
    expectAfter(kind);
  });

  it.each([
    ['start', 'create_container', 'createContainer'],
    ['start', 'start_container', 'startContainer'],
    ['start', 'await_runner', 'connect'],
    ['restart', 'stop_container', 'stopContainer'],
    ['snapshot', 'write_snapshot', 'readWorkspace'],
    ['restore', 'unpack_snapshot', 'unpackWorkspace'],
    ['restore', 'stop_container', 'stopContainer'],
    ['restore', 'create_container', 'createContainer'],
    ['change', 'prepare_storage', 'prepareStorage'],
    ['change', 'create_container', 'createContainer'],
    ['delete', 'remove_containers', 'removeContainers'],
    ['delete', 'remove_storage', 'removeStorage'],
  ] as const)('of kind %s: %s goes on where an answer was lost', async (kind, failing, call) => {
    if (kind !== 'start') await run('start');
    const operation = await life.request(kind, await optionsOf(kind));
    for (const step of stepsOf(kind)) {
      if (step === failing) {
        life.engine.failsNext(call as EngineCall);
        await expect(life.attempt(step, operation)).rejects.toMatchObject({ type: 'container_failed' });
        const row = await life.world.operations.get(operation.id);
        expect(row.steps.at(-1)).toMatchObject({ name: step, state: 'failed', attempts: 1 });
      }
      await life.attempt(step, operation);
    }
    expect((await life.world.operations.get(operation.id)).state).toBe('succeeded');
    expectAfter(kind);
  });

  it.each(LIFECYCLE_KINDS)('of kind %s touch nothing once the operation has ended', async (kind) => {
    if (kind !== 'start') await run('start');
    const operation = await life.request(kind, await optionsOf(kind));
    await life.world.operations.move(operation.id, ['pending'], 'canceled');
    const before = [life.sandbox, life.engine.calls.length];
    for (const task of [...stepsOf(kind), ...EVERY_UNDO]) {
      await expect(life.attempt(task, operation)).rejects.toMatchObject({ type: 'invalid_state' });
    }
    expect([life.sandbox, life.engine.calls.length]).toEqual(before);
  });

  it('end what runs and leave what waits, except where the sandbox is deleted', async () => {
    const [running, waiting] = ['01', '02'].map(
      (end) => `0190b0a0-0000-7000-8000-0000000000${end}`,
    ) as never[];
    await run('start');
    for (const id of [running, waiting]) await life.exec(String(id));
    await life.world.run(running as never);
    const { execs } = life.world;
    await run('stop');
    expect((await execs.get(running as never)).state).toBe('failed');
    expect((await execs.get(waiting as never)).state).toBe('queued');
    await run('delete');
    expect(await execs.get(waiting as never)).toMatchObject({
      state: 'not_started',
      failure: { code: 'sandbox_deleted' },
    });
  });
});

async function begun(kind: LifecycleKind, last: StepName): Promise<Operation> {
  const operation = await life.request(kind, await optionsOf(kind));
  for (const step of stepsOf(kind)) {
    await life.attempt(step, operation);
    if (step === last) break;
  }
  return operation;
}

describe('the undoing of an operation', () => {
  async function undone(operation: Operation, ...undos: Undo[]) {
    for (const undo of undos) for (let time = 1; time <= 2; time++) await life.attempt(undo, operation);
    return life.sandbox;
  }

  it('of a start leaves no container behind, and a sandbox that may be started again', async () => {
    const operation = await begun('start', 'await_runner');
    const sandbox = await undone(operation, 'discard_container', 'observe_container');
    expect(sandbox).toMatchObject({ observedState: 'stopped', desiredState: 'stopped' });
    expect(life.engine.containers.size).toBe(0);
    expect(life.engine.volumes.size).toBe(1);
  });

  it('of a hold gives the sandbox back as it runs', async () => {
    await run('start');
    const operation = await begun('stop', 'hold_queue');
    expect(life.sandbox).toMatchObject({ observedState: 'stopping', desiredState: 'stopped' });
    const sandbox = await undone(operation, 'observe_container');
    expect(sandbox).toMatchObject({ observedState: 'running', desiredState: 'running' });
  });

  it('does not take the container of another operation', async () => {
    await run('start');
    const operation = await begun('restart', 'hold_queue');
    await undone(operation, 'discard_container', 'observe_container');
    expect(life.engine.containers.size).toBe(1);
    expect(life.sandbox.observedState).toBe('running');
  });

  it('of a delete says that the sandbox is stopped, when its container is gone already', async () => {
    await run('start');
    const operation = await begun('delete', 'remove_containers');
    const sandbox = await undone(operation, 'observe_container');
    expect(sandbox).toMatchObject({ observedState: 'stopped', desiredState: 'stopped' });
  });
});

describe('a start that nobody asked for', () => {
  async function ended(times: number): Promise<Operation> {
    const restarts = Array.from({ length: times }, () => new Date().toISOString());
    const restartDue = { at: new Date().toISOString(), cause: 'failed' } as const;
    life.world.sandboxes.change(life.sandboxId, { restarts, restartDue });
    const operation = await life.world.sandboxes.beginRestart(life.sandboxId, operationId(randomUUID()));
    if (!operation) throw new TypeError('It was not begun.');
    return operation;
  }

  it('looks first whether the sandbox stays up', async () => {
    const { options } = await ended(4);
    expect(planOperation('start', options)[0]?.step).toBe('check_restarts');
    expect(planOperation('start', {})[0]?.step).toBe('prepare_storage');
    expect(planOperation('stop', { because: 'idle' })[0]?.step).toBe('hold_queue');
  });

  it('goes on for the fifth time, fails for the sixth, and counts anew once somebody lets it go on', async () => {
    const fifth = await ended(4);
    await life.attempt('check_restarts', fifth);
    await life.world.operations.move(fifth.id, ['running'], 'failed');
    const sixth = await ended(5);
    await expect(life.attempt('check_restarts', sixth)).rejects.toMatchObject({ type: 'restarts_exhausted' });
    const park = { step: 'check_restarts', parkNo: 1 } as Park;
    await life.world.operations.move(sixth.id, ['running'], 'parked', { park });
    for (let time = 1; time <= 2; time++) await life.resume(sixth);
    expect(life.sandbox.restarts).toEqual([]);
    await life.attempt('check_restarts', sixth);
  });

  it('is planned by the look that sees the container gone', async () => {
    await run('start');
    life.engine.containers.clear();
    await life.reconcile();
    expect(life.sandbox).toMatchObject({ observedState: 'missing', restartDue: { cause: 'failed' } });
  });
});

describe('a snapshot and what becomes of it', () => {
  it('is ready with what it holds, is not written again, and is the same when it is restored', async () => {
    await run('start');
    const { result } = await run('snapshot', 2);
    const [snapshot] = [...life.world.snapshots.rows.values()];
    expect(snapshot).toMatchObject({ state: 'ready', parts: 1, summary: { entries: 1 } });
    expect(result).toMatchObject({ snapshotId: snapshot?.id, entries: 1 });
    expect(life.engine.calls.filter((call) => call === 'readWorkspace')).toHaveLength(1);
    expect(life.objects.objects.size).toBe(2);
    expect(life.world.snapshots.announced.size).toBe(0);
  });

  it('is not restored where an object has other bytes', async () => {
    await run('start');
    await run('snapshot');
    const [key] = [...life.objects.objects.keys()];
    life.objects.objects.set(String(key), Buffer.from('other'));
    const operation = await life.request('restore', await optionsOf('restore'));
    await expect(life.attempt('unpack_snapshot', operation)).rejects.toMatchObject({
      type: 'archive_refused',
      nonRetryable: true,
    });
    expect(life.sandbox.workspaceId).toBeNull();
  });

  it('that is not ready goes when its run is given up, and a ready one stays', async () => {
    await run('start');
    const operation = await life.request('snapshot');
    life.engine.failsNext('readWorkspace');
    await expect(life.attempt('write_snapshot', operation)).rejects.toMatchObject({
      type: 'container_failed',
    });
    for (let time = 1; time <= 2; time++) await life.attempt('discard_snapshot', operation);
    expect(life.world.snapshots.rows.size).toBe(0);
    await life.attempt('write_snapshot', operation);
    await life.attempt('discard_snapshot', operation);
    expect(life.world.snapshots.rows.size).toBe(1);
  });

  it('is taken before a restart where the sandbox says so, unless the request says otherwise', async () => {
    await run('start');
    life.world.sandboxes.change(life.sandboxId, { snapshotOnRestart: true });
    const { options, id } = await life.request('restart');
    expect(options).toEqual({ snapshot: true });
    await life.world.operations.move(id, ['pending'], 'canceled');
    expect((await life.request('restart', { snapshot: false })).options).toEqual({ snapshot: false });
  });
});

describe('a restart that begins with a snapshot', () => {
  const RUNNING = execId('0190b0a0-0000-7000-8000-000000000001');
  const STARTING = execId('0190b0a0-0000-7000-8000-000000000002');
  const snapshotted = { snapshot: true } as const;
  const steps = planOperation('restart', snapshotted).map(({ step }) => step);

  beforeEach(async () => {
    await run('start');
    for (const id of [RUNNING, STARTING]) {
      await life.exec(id);
      await life.world.run(id);
    }
    life.engine.commands.add(RUNNING);
    life.engine.beginning.add(STARTING);
  });

  it('ends what runs, and what is just being started, before it reads the workspace; each step twice', async () => {
    const operation = await life.request('restart', snapshotted);
    for (const step of steps) for (let time = 1; time <= 2; time++) await life.attempt(step, operation);
    const { calls, commands } = life.engine;
    const ended = calls.flatMap((call, at) => (call === 'endForStop' ? [at] : []));
    expect(ended.length).toBeGreaterThan(1);
    expect(calls.indexOf('readWorkspace')).toBeGreaterThan(Math.max(...ended));
    expect(commands.size).toBe(0);
    expectAfter('restart');
  });

  it('goes on where an answer was lost in the middle of the ending', async () => {
    const operation = await life.request('restart', snapshotted);
    for (const step of steps) {
      if (step === 'end_execs') {
        life.engine.failsNext('endForStop');
        await expect(life.attempt(step, operation)).rejects.toMatchObject({ type: 'container_failed' });
      }
      await life.attempt(step, operation);
    }
    expect(life.engine.commands.size).toBe(0);
    expectAfter('restart');
  });

  it('does not ask a runner whose container is paused or down: nothing writes there', async () => {
    const operation = await life.request('restart', snapshotted);
    const [container] = life.engine.containers.values();
    for (const state of ['paused', 'exited'] as const) {
      Object.assign(container as object, { state });
      await life.attempt('end_execs', operation);
    }
    expect(life.engine.calls).not.toContain('endForStop');
  });
});

describe('a restore or a change', () => {
  it.each(['restore', 'change'] as const)(
    'that is undone after %s leaves all as it was, running',
    async (kind) => {
      await run('start');
      const before = life.sandbox;
      const workspaces = [...life.engine.workspaces];
      for (const last of stepsOf(kind).slice(0, -1)) {
        const operation = await begun(kind, last);
        const plan = planOperation(kind, operation.options);
        const undos = undosOf(plan, stepsOf(kind).indexOf(last) + 1);
        for (const undo of undos) for (let time = 1; time <= 2; time++) await life.attempt(undo, operation);
        await life.world.operations.move(operation.id, ['running'], 'canceled');
        const { image, tier, workspaceId, observedState, desiredState } = life.sandbox;
        expect([last, { image, tier, workspaceId }]).toEqual([
          last,
          { image: before.image, tier: before.tier, workspaceId: before.workspaceId },
        ]);
        expect([last, observedState, desiredState]).toEqual([last, 'running', 'running']);
        expect([...life.engine.workspaces]).toEqual(workspaces);
        const [container] = [...life.engine.containers.values()];
        expect(container).toMatchObject({ image: before.image, state: 'running', workspaceId: null });
      }
    },
  );

  it('of a stopped sandbox leaves it stopped, with what the next start needs', async () => {
    await run('start');
    const options = { ...(await optionsOf('restore')) };
    await run('stop');
    for (const [kind, asked] of [
      ['restore', options],
      ['change', { tier: 'large' }],
    ] as const) {
      const operation = await life.request(kind, asked);
      for (const { step } of planOperation(kind, operation.options)) await life.attempt(step, operation);
      expect(life.sandbox).toMatchObject({ observedState: 'stopped', desiredState: 'stopped' });
    }
    await run('start');
    const [container] = [...life.engine.containers.values()];
    expect(container).toMatchObject({ workspaceId: life.sandbox.workspaceId, state: 'running' });
    expect(life.sandbox).toMatchObject({ tier: 'large' });
  });

  it('is not harmed by an attempt that was thought dead and goes on after the sandbox has its new workspace', async () => {
    await run('start');
    const operation = await life.request('restore', await optionsOf('restore'));
    const thaw = life.engine.freezesNext('unpackWorkspace');
    const frozen = life.attempt('unpack_snapshot', operation);
    for (const step of ['unpack_snapshot', 'hold_queue', 'stop_container', 'switch_workspace'] as const) {
      await life.attempt(step, operation);
    }
    const { workspaceId } = life.sandbox;
    thaw();
    await frozen;
    expect(workspaceId).not.toBeNull();
    expect(life.sandbox).toMatchObject({ workspaceId });
    for (const step of stepsOf('restore').slice(3)) await life.attempt(step, operation);
    expect([...life.engine.workspaces]).toContain(`${life.sandboxId}:${workspaceId}`);
    expect(life.sandbox).toMatchObject({ workspaceId, observedState: 'running' });
    await life.reconcile();
    expect([...life.engine.workspaces]).toEqual([`${life.sandboxId}:${workspaceId}`]);
  });

  it('takes what an attempt has unpacked away with it when that fails', async () => {
    await run('start');
    const operation = await life.request('restore', await optionsOf('restore'));
    life.engine.failsNext('unpackWorkspace');
    await expect(life.attempt('unpack_snapshot', operation)).rejects.toMatchObject({
      type: 'container_failed',
    });
    expect(life.engine.workspaces.size).toBe(1);
  });

  it('leaves the workspace that was replaced to the next reconcile, and only that', async () => {
    await run('start');
    await run('restore');
    expect(life.engine.workspaces.size).toBe(2);
    expect(await life.reconcile()).toMatchObject({ removed: 1 });
    expect([...life.engine.workspaces]).toEqual([`${life.sandboxId}:${life.sandbox.workspaceId}`]);
    expect(await life.reconcile()).toMatchObject({ removed: 0 });
  });
});

describe('a workspace that is gone', () => {
  it('is not made again in silence, but with the word of a person', async () => {
    await run('start');
    await run('stop');
    life.engine.workspaces.clear();
    const operation = await life.request('start');
    await expect(life.attempt('prepare_storage', operation)).rejects.toMatchObject({
      type: 'workspace_missing',
      nonRetryable: true,
    });
    expect(life.engine.workspaces.size).toBe(0);
    await life.world.sandboxes.correctByOperation(life.sandboxId, operation.id, { workspace: 'empty' });
    for (const step of stepsOf('start')) await life.attempt(step, operation);
    expect(life.engine.workspaces.size).toBe(1);
    expect(life.sandbox).toMatchObject({ observedState: 'running', workspaceMade: true });
  });
});

describe('a reconcile', () => {
  const NOTHING = { changed: 0, reclaimed: 0, removed: 0, reported: 0 };
  const own = () => [...life.engine.containers.keys()][0] ?? '';

  it('changes nothing where rows and containers agree, however often it runs', async () => {
    await run('start');
    for (let time = 1; time <= 2; time++)
      expect(await life.reconcile()).toMatchObject({ looked: 1, ...NOTHING });
    expect(life.sandbox.observedState).toBe('running');
  });

  it('says of a container that was removed by hand that it is gone, once', async () => {
    await run('start');
    life.engine.containers.clear();
    expect(await life.reconcile()).toMatchObject({ ...NOTHING, changed: 1 });
    expect(life.sandbox).toMatchObject({
      observedState: 'missing',
      failure: { code: 'container_missing' },
    });
    expect(await life.reconcile()).toMatchObject(NOTHING);
    await run('start');
    expect(life.sandbox).toMatchObject({ observedState: 'running', generation: 2, failure: null });
  });

  it.each([
    ['paused', 'degraded'],
    ['exited', 'stopped'],
  ] as const)('says of one that is %s that the sandbox is %s', async (state, observedState) => {
    await run('start');
    Object.assign(life.engine.containers.get(own()) ?? {}, { state });
    await life.reconcile();
    expect(life.sandbox.observedState).toBe(observedState);
  });

  it('gives a renamed container its name back, so that no second one is made', async () => {
    await run('start');
    const name = own();
    life.engine.rename(name, 'by-hand');
    expect(await life.reconcile()).toMatchObject({ ...NOTHING, reclaimed: 1 });
    expect([...life.engine.containers.keys()]).toEqual([name]);
    expect(life.sandbox.observedState).toBe('running');
  });

  it('leaves a sandbox alone while an operation holds it, and corrects what a lost run has left', async () => {
    await run('start');
    const operation = await life.request('stop');
    await life.attempt('hold_queue', operation);
    life.engine.containers.clear();
    expect(await life.reconcile()).toMatchObject(NOTHING);
    expect(life.sandbox.observedState).toBe('stopping');
    await life.world.operations.move(operation.id, ['running'], 'failed');
    await life.reconcile();
    expect(life.sandbox.observedState).toBe('missing');
  });

  it('removes what rows prove to be left over, and reports what no row knows', async () => {
    await run('start');
    const [name, container] = [...life.engine.containers.entries()][0] as [string, never];
    await run('delete');
    life.engine.containers.set(name, container);
    life.engine.containers.set(`${life.otherId}-g1`, {
      ...(container as object),
      sandboxId: life.otherId,
    } as never);
    expect(await life.reconcile()).toMatchObject({ ...NOTHING, removed: 1, reported: 1 });
    expect([...life.engine.containers.keys()]).toEqual([`${life.otherId}-g1`]);
  });
});
