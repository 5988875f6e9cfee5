import { beforeEach, describe, expect, it } from '@jest/globals';
import { hostId, type CheckOutcome, type Health, type HealthCheck, type RestartPolicy } from '#domain';
import { LifecycleWorld } from '../../../../test/fakes/lifecycle-world.js';
import { HealthWatch } from './health-watch.js';

const WELL: CheckOutcome = { ok: true, detail: '' };
const ILL: CheckOutcome = { ok: false, detail: 'exit code 1. no' };
const check: HealthCheck = {
  command: ['true'],
  http: null,
  intervalSeconds: 30,
  timeoutSeconds: 5,
  failuresMax: 2,
  startSeconds: 1,
};

let life: LifecycleWorld;
let watch: HealthWatch;

beforeEach(async () => {
  life = new LifecycleWorld();
  await life.makeSandbox();
  life.world.sandboxes.change(life.sandboxId, { healthCheck: check });
  const { sandboxes, wakes } = life.world;
  const silent = () => undefined;
  const log = { debug: silent, info: silent, warn: silent, error: silent };
  watch = new HealthWatch({ sandboxes, engine: life.engine, wake: wakes, log }, hostId('local'));
});

async function run(): Promise<void> {
  const operation = await life.request('start');
  for (const step of [
    'prepare_storage',
    'create_container',
    'start_container',
    'await_health',
    'open_queue',
  ] as const) {
    await life.attempt(step, operation);
  }
}

async function asked(...outcomes: CheckOutcome[]): Promise<Health> {
  life.engine.outcomes = outcomes;
  for (const _ of outcomes) await watch.look();
  return life.sandbox.health;
}

describe('a start of a sandbox with a check', () => {
  it('waits until it is well for the first time', async () => {
    life.engine.outcomes = [ILL, ILL, WELL];
    await run();
    expect(life.sandbox.health).toMatchObject({ status: 'healthy', consecutiveFailures: 0 });
  });

  it('fails with the words of the check when its time is over, and goes on where the check is taken away', async () => {
    const operation = await life.request('start');
    expect(operation.options).toEqual({ awaitsHealth: true });
    for (const step of ['prepare_storage', 'create_container', 'start_container'] as const) {
      await life.attempt(step, operation);
    }
    life.engine.outcomes = [ILL];
    await expect(life.attempt('await_health', operation)).rejects.toMatchObject({
      type: 'unhealthy',
      message: expect.stringContaining('exit code 1. no'),
    });
    life.world.sandboxes.change(life.sandboxId, { healthCheck: null });
    await life.attempt('await_health', operation);
  });
});

describe('a running sandbox', () => {
  it.each<[RestartPolicy, string | null]>([
    ['on-failure', 'unhealthy'],
    ['always', 'unhealthy'],
    ['never', null],
  ])(
    'that is not well so often is unhealthy; with the policy %s its restart is due for: %s',
    async (restartPolicy, cause) => {
      life.world.sandboxes.change(life.sandboxId, { restartPolicy });
      await run();
      expect(await asked(ILL)).toMatchObject({
        status: 'healthy',
        consecutiveFailures: 1,
        reason: ILL.detail,
      });
      expect(life.sandbox.restartDue).toBeNull();
      expect(await asked(ILL)).toMatchObject({ status: 'unhealthy', consecutiveFailures: 2 });
      expect(life.sandbox.restartDue?.cause ?? null).toBe(cause);
    },
  );

  it('that is well again needs no restart any more', async () => {
    await run();
    await asked(ILL, ILL);
    expect(await asked(WELL)).toMatchObject({ status: 'healthy', reason: null });
    expect(life.sandbox.restartDue).toBeNull();
  });

  it('that cannot be asked is not judged, and others are asked all the same', async () => {
    await run();
    const before = life.sandbox;
    life.engine.containers.clear();
    expect(await watch.look()).toBe(1);
    expect(life.sandbox).toEqual(before);
  });

  it('is not asked without a check, nor while an operation holds it', async () => {
    await run();
    await life.request('stop');
    expect(await watch.look()).toBe(0);
    life.world.sandboxes.change(life.sandboxId, { healthCheck: null });
    expect(await watch.look()).toBe(0);
  });
});
