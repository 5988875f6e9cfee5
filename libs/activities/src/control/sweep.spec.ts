import { describe, expect, it } from '@jest/globals';
import {
  sandboxId,
  tenantId,
  type Exec,
  type Sandbox,
  type StrandedSandbox,
  type SweepRow,
  type SweepStore,
} from '#domain';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';
import type { ControlActivityPorts } from './control-ports.js';
import { sweepRows } from './sweep.js';

interface Found {
  readonly canceling?: readonly Exec[];
  readonly unverified?: readonly SweepRow[];
  readonly stranded?: readonly StrandedSandbox[];
}

function portsOf(
  world: MemoryWorld,
  { canceling = [], unverified = [], stranded = [] }: Found,
): ControlActivityPorts {
  const sweeps: SweepStore = {
    listUnstarted: async () => await Promise.resolve([]),
    takeUnverified: async () => await Promise.resolve([...unverified]),
    takeCanceling: async () => await Promise.resolve([...canceling]),
    listStranded: async () => await Promise.resolve([...stranded]),
    listRestartable: async () => await Promise.resolve([]),
    takeIdle: async () => await Promise.resolve([]),
    forgetKeys: async () => await Promise.resolve(0),
  };
  const { sandboxes, operations, execs, bulks } = world;
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
  };
  return {
    sandboxes,
    operations,
    execs,
    credentials: world.credentials,
    sweeps,
    bulks,
    hosts: world.hosts,
    snapshots: world.snapshots,
    wake: world.wakes,
    runs: world.workflows,
    log,
  };
}

const EXEC = { id: '0190b0a0-0000-7000-8000-000000000001' } as Exec;

describe('the sweep', () => {
  it('asks again for a cancel that was not heard, also where the run had never been started', async () => {
    const world = new MemoryWorld();
    const result = await sweepRows(portsOf(world, { canceling: [EXEC] }));
    expect(world.workflows.signals).toEqual([`cancel-anew ${EXEC.id}`]);
    expect(result).toEqual({
      started: 0,
      restarted: 0,
      idled: 0,
      verified: 0,
      repaired: 0,
      canceled: 1,
      woken: 0,
    });
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

  it('starts a sandbox in which an exec waits that nobody else starts, once', async () => {
    const world = new MemoryWorld();
    const id = sandboxId('0190b0a0-0000-7000-8000-000000000009');
    const tenant = tenantId('default');
    world.sandboxes.rows.set(id, { id, tenantId: tenant, observedState: 'stopped' } as Sandbox);
    for (let n = 0; n < 2; n += 1) {
      const result = await sweepRows(portsOf(world, { stranded: [{ id, tenantId: tenant }] }));
      expect(result.restarted).toBe(1);
    }
    expect([...world.operations.rows.values()]).toMatchObject([{ sandboxId: id, kind: 'start' }]);
    expect([...world.workflows.startedOperations]).toEqual([...world.operations.rows.keys()]);
  });

  it('ends a live row whose run has vanished', async () => {
    const world = new MemoryWorld();
    const unverified = [{ kind: 'exec', id: EXEC.id, exec: EXEC } as const];
    expect(await sweepRows(portsOf(world, { unverified }))).toMatchObject({ verified: 1, repaired: 1 });
    expect(world.workflows.signals).toEqual([`cancel-anew ${EXEC.id}`]);
  });
});
