import { beforeEach, describe, expect, it } from '@jest/globals';
import type { RunnerConnection } from '#domain';
import { LifecycleWorld } from '../../../../test/fakes/lifecycle-world.js';
import { ShortVisits } from './short-visits.js';

const silent = (): void => undefined;
const log = { debug: silent, info: silent, warn: silent, error: silent };

let life: LifecycleWorld;
let connects: number;
let visits: ShortVisits;

beforeEach(async () => {
  life = new LifecycleWorld();
  await life.makeSandbox();
  life.world.sandboxes.change(life.sandboxId, { observedState: 'running', idleStopSeconds: 60 });
  connects = 0;
  const connection: Partial<RunnerConnection> = { close: async () => await Promise.resolve() };
  const connect = async () => {
    connects += 1;
    return await Promise.resolve(connection as RunnerConnection);
  };
  visits = new ShortVisits({ sandboxes: life.world.sandboxes, engine: { connect }, log }, 1);
});

const uses = (): number => life.world.sandboxes.uses.get(life.sandboxId) ?? 0;

describe('a visit', () => {
  it('has its sandbox noted as used before it begins, where that may be stopped as idle', async () => {
    const seen = await visits.during(life.sandboxId, async () => await Promise.resolve(uses()));
    expect(seen).toBe(1);
    life.world.sandboxes.change(life.sandboxId, { idleStopSeconds: null });
    await visits.during(life.sandboxId, async () => Promise.resolve());
    expect(uses()).toBe(1);
  });

  it('does not begin in a sandbox that has been stopped as idle since it was looked at', async () => {
    const { sandboxes } = life.world;
    const noteUse = sandboxes.noteUse.bind(sandboxes);
    sandboxes.noteUse = async (ids) => {
      sandboxes.change(life.sandboxId, { observedState: 'stopping' });
      return await noteUse(ids);
    };
    const visit = visits.during(life.sandboxId, async () => Promise.resolve());
    await expect(visit).rejects.toMatchObject({ code: 'invalid_state' });
    expect(connects).toBe(0);
    sandboxes.change(life.sandboxId, { observedState: 'running', idleStopSeconds: null });
    await visits.during(life.sandboxId, async () => Promise.resolve());
    expect(connects).toBe(1);
  });
});
