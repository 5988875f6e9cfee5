import { describe, expect, it } from '@jest/globals';
import type { Exec, SweepRow, SweepStore } from '#domain';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';
import type { ControlActivityPorts } from './control.activities.js';
import { sweepRows } from './sweep.js';

interface Found {
  readonly canceling?: readonly Exec[];
  readonly unverified?: readonly SweepRow[];
}

function portsOf(world: MemoryWorld, { canceling = [], unverified = [] }: Found): ControlActivityPorts {
  const sweeps: SweepStore = {
    listUnstarted: async () => await Promise.resolve([]),
    takeUnverified: async () => await Promise.resolve([...unverified]),
    takeCanceling: async () => await Promise.resolve([...canceling]),
    forgetKeys: async () => await Promise.resolve(0),
  };
  const { sandboxes, operations, execs } = world;
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
  };
  return { sandboxes, operations, execs, sweeps, wake: world.wakes, runs: world.workflows, log };
}

const EXEC = { id: '0190b0a0-0000-7000-8000-000000000001' } as Exec;

describe('the sweep', () => {
  it('asks again for a cancel that was not heard, also where the run had never been started', async () => {
    const world = new MemoryWorld();
    const result = await sweepRows(portsOf(world, { canceling: [EXEC] }));
    expect(world.workflows.signals).toEqual([`cancel-anew ${EXEC.id}`]);
    expect(result).toEqual({ started: 0, verified: 0, repaired: 0, canceled: 1 });
  });

  it('does the same when it is repeated', async () => {
    const world = new MemoryWorld();
    for (let n = 0; n < 2; n += 1) await sweepRows(portsOf(world, { canceling: [EXEC] }));
    expect(world.workflows.signals).toHaveLength(2);
  });

  it('leaves a live row alone whose run goes on', async () => {
    const world = new MemoryWorld();
    world.workflows.startedExecs.add(EXEC.id);
    const unverified = [{ kind: 'exec', id: EXEC.id, exec: EXEC } as const];
    expect(await sweepRows(portsOf(world, { unverified }))).toMatchObject({ verified: 1, repaired: 0 });
    expect(world.workflows.signals).toEqual([]);
  });

  it('ends a live row whose run has vanished', async () => {
    const world = new MemoryWorld();
    const unverified = [{ kind: 'exec', id: EXEC.id, exec: EXEC } as const];
    expect(await sweepRows(portsOf(world, { unverified }))).toMatchObject({ verified: 1, repaired: 1 });
    expect(world.workflows.signals).toEqual([`cancel-anew ${EXEC.id}`]);
  });
});
