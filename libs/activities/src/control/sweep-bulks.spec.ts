import { beforeEach, describe, expect, it } from '@jest/globals';
import { bulkId, hostId, ownerId, sandboxId, tenantId, type Bulk, type Sandbox } from '#domain';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';
import type { ControlActivityPorts } from './control-ports.js';
import { sweepBulks } from './sweep-bulks.js';

const TENANT = tenantId('default');
const ID = bulkId('0190b0a0-0000-7000-8000-000000000001');
const SANDBOX = sandboxId('0190b0a0-0000-7000-8000-000000000002');

let world: MemoryWorld;

beforeEach(async () => {
  world = new MemoryWorld();
  world.sandboxes.rows.set(SANDBOX, {
    id: SANDBOX,
    tenantId: TENANT,
    ownerId: ownerId('u1'),
    hostId: hostId('local'),
  } as Sandbox);
  await world.bulks.create({
    id: ID,
    tenantId: TENANT,
    work: { action: 'restart', options: {} },
    concurrencyMax: 1,
    delayMs: 0,
    failureBudget: null,
    requestHash: 'hash',
    selection: { kind: 'ids', ids: [SANDBOX] },
  });
});

async function sweep(): Promise<number> {
  const silent = () => undefined;
  const log = { debug: silent, info: silent, warn: silent, error: silent };
  return await sweepBulks({
    bulks: world.bulks,
    runs: world.workflows,
    log,
  } as unknown as ControlActivityPorts);
}

const bulk = async (): Promise<Bulk | undefined> => await world.bulks.find(TENANT, ID);

describe('the sweep of bulk operations', () => {
  it('wakes the run of one of which something was asked that no run has looked at', async () => {
    world.bulks.unattended = [ID];
    expect(await sweep()).toBe(1);
    expect([...world.workflows.wokenBulks]).toEqual([ID]);
    expect(await bulk()).toMatchObject({ state: 'pending' });
  });

  it('pauses one whose run was ended from outside, and gives it another one', async () => {
    world.bulks.unverified = [ID];
    expect(await sweep()).toBe(1);
    expect([...world.workflows.wokenBulks]).toEqual([ID]);
    expect(await bulk()).toMatchObject({ state: 'paused', pause: { reason: { code: 'invalid_state' } } });
    expect(await sweep()).toBe(0);
    expect(await bulk()).toMatchObject({ pauseNo: 1 });
  });
});
