import { beforeEach, describe, expect, it } from '@jest/globals';
import { planOperation, stagesOf, type Operation, type StepName } from '#domain';
import { LifecycleWorld } from '../../../../test/fakes/lifecycle-world.js';
import type { EngineCall } from '../../../../test/fakes/memory-engine.js';

const STAGE = (stagesOf(planOperation('restart', {}))[1] ?? []).map(({ step }) => step);

let life: LifecycleWorld;
let restart: Operation;

beforeEach(async () => {
  life = new LifecycleWorld();
  await life.makeSandbox();
  const start = await life.request('start');
  for (const { step } of planOperation('start', {})) await life.attempt(step, start);
  restart = await life.request('restart');
  await life.attempt('hold_queue', restart);
});

const succeeded = async (): Promise<string[]> => {
  const { steps } = await life.world.operations.get(restart.id);
  return steps.filter(({ state }) => state === 'succeeded').map(({ name }) => name);
};

describe('a stage', () => {
  it('does its steps in their order, each recorded, and nothing when it is done again', async () => {
    const known = await life.stage(STAGE, restart);
    expect(known.map(({ name, state }) => [name, state])).toEqual(STAGE.map((step) => [step, 'succeeded']));
    expect(await succeeded()).toEqual(['hold_queue', ...STAGE]);
    const calls = life.engine.calls.length;
    expect(await life.stage(STAGE, restart)).toHaveLength(STAGE.length);
    expect(life.engine.calls).toHaveLength(calls);
    await life.attempt('open_queue', restart);
    expect(life.sandbox).toMatchObject({ observedState: 'running', generation: 2 });
  });

  it.each([
    ['stop_container', 'stopContainer'],
    ['prepare_storage', 'prepareStorage'],
    ['create_container', 'createContainer'],
    ['start_container', 'startContainer'],
    ['await_runner', 'connect'],
  ] as const)('that fails at %s says so, and goes on from there', async (step, call) => {
    const before = STAGE.slice(0, STAGE.indexOf(step));
    life.engine.failsNext(call as EngineCall);
    await expect(life.stage(STAGE, restart)).rejects.toMatchObject({
      type: 'container_failed',
      details: [{ step, done: before.map((name) => ({ name, state: 'succeeded' })) }],
    });
    expect(await succeeded()).toEqual(['hold_queue', ...before]);
    await life.stage(STAGE, restart);
    expect(await succeeded()).toEqual(['hold_queue', ...STAGE]);
    expect([...life.engine.containers.values()]).toMatchObject([{ generation: 2, state: 'running' }]);
  });

  it('whose attempt was thought dead before it ended anything does not end what another one has brought up', async () => {
    await life.stage(STAGE, restart);
    await life.attempt('stop_container', restart);
    expect([...life.engine.containers.values()]).toMatchObject([{ generation: 2, state: 'running' }]);
  });

  it('takes no step that it does not know', async () => {
    await expect(life.stage(['unpack_snapshot'] as StepName[], restart)).rejects.toThrow('unpack_snapshot');
  });
});
