import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import {
  createBulkActivities,
  type AdvanceBulkInput,
  type BulkActivities,
  type BulkProgress,
} from '#activities';
import {
  bulkId,
  hostId,
  operationId,
  ownerId,
  sandboxId,
  tenantId,
  type BulkControl,
  type BulkId,
  type OperationId,
} from '#domain';
import { PostgresBulkStore, PostgresExecStore, PostgresOperationStore } from '#postgres';
import { createTestDatabase, type TestDatabase } from '../../libs/postgres/src/testing-database.js';
import { inActivity } from '../fakes/activity-context.js';
import { runningStack } from './running-stack.js';

const TENANT = tenantId('default');
const silent = (): void => undefined;

let test: TestDatabase;
let bulks: PostgresBulkStore;
let operations: PostgresOperationStore;
let activities: BulkActivities;

beforeAll(async () => {
  test = await createTestDatabase(runningStack().databaseUrl);
  bulks = new PostgresBulkStore(test.database);
  operations = new PostgresOperationStore(test.database);
  activities = createBulkActivities({
    bulks,
    operations,
    execs: new PostgresExecStore(test.database, test.wakes),
    wake: test.wakes,
    log: { debug: silent, info: silent, warn: silent, error: silent },
  });
});
afterAll(async () => test.drop());

async function restartOf(size: number, failureBudget: number | null): Promise<BulkId> {
  const ids = Array.from({ length: size }, () => sandboxId(uuidv7()));
  await test.database.query(
    `INSERT INTO sandboxes (id, tenant_id, owner_id, name, image, tier, host_id, desired_state, observed_state)
       SELECT id, $2, $3, id::text, 'i', 'small', $4, 'running', 'running' FROM unnest($1::uuid[]) AS w (id)`,
    [ids, TENANT, ownerId('u1'), hostId('local')],
  );
  const { row } = await bulks.create({
    id: bulkId(uuidv7()),
    tenantId: TENANT,
    work: { action: 'restart', options: {} },
    concurrencyMax: 2,
    delayMs: 0,
    failureBudget,
    requestHash: 'hash',
    selection: { kind: 'ids', ids },
  });
  return row.id;
}

/** As its run does, and once more, as after an answer that was lost. */
async function advance(id: BulkId, change: Partial<AdvanceBulkInput> = {}): Promise<BulkProgress> {
  const input = { bulkId: id, controls: [], begins: true, known: [], ...change };
  const started = { operationIds: [], execIds: [] };
  const once = async () => await inActivity(() => activities.advanceBulk({ started, ...input }));
  const [first, again] = [await once(), await once()];
  expect(again).toEqual(first);
  return first;
}

async function endRunning(running: readonly string[], ...ends: ('succeeded' | 'failed')[]): Promise<void> {
  const ids: OperationId[] = running.map((id) => operationId(id));
  for (const [at, end] of ends.entries())
    await operations.move(String(ids[at]) as OperationId, ['pending'], end);
}

describe('a look at a bulk operation', () => {
  it('that is repeated begins nothing twice, and goes on until all have ended', async () => {
    const id = await restartOf(3, null);
    const { running, unknown } = await advance(id);
    expect([running.length, unknown.length]).toEqual([2, 2]);
    expect((await advance(id, { known: running })).unknown).toEqual([]);
    await endRunning(running, 'succeeded', 'failed');
    const next = await advance(id, { known: running });
    expect(next.counts).toMatchObject({ succeeded: 1, failed: 1, running: 1, pending: 0 });
    await endRunning(next.running, 'succeeded');
    expect(await advance(id)).toMatchObject({ state: 'failed', running: [] });
  });

  it('pauses it over its budget, begins nothing meanwhile, and counts anew once it is resumed', async () => {
    const id = await restartOf(8, 1);
    await endRunning((await advance(id)).running, 'failed', 'failed');
    const paused = await advance(id);
    expect(paused).toMatchObject({
      state: 'paused',
      pauseNo: 1,
      pause: { reason: { code: 'failure_budget_spent' } },
      running: [],
      counts: { failed: 2, pending: 6 },
    });
    await bulks.control(id, { control: 'resume', pauseNo: 1 });
    const [one] = (await advance(id)).running;
    await endRunning([String(one)], 'failed');
    const within = await advance(id);
    expect(within).toMatchObject({ state: 'running', counts: { failed: 3, running: 2 } });
    await endRunning(within.running, 'failed', 'succeeded');
    expect(await advance(id)).toMatchObject({ state: 'paused', pauseNo: 2, counts: { failed: 4 } });
  });

  it('stays within a budget that is spent when nothing is left to begin', async () => {
    const id = await restartOf(2, 0);
    await endRunning((await advance(id)).running, 'failed', 'failed');
    expect(await advance(id)).toMatchObject({ state: 'failed', pause: null });
  });

  it('that tells the rows again what they have taken does not pause what was resumed since', async () => {
    const id = await restartOf(4, null);
    const controls: BulkControl[] = [{ control: 'pause', id: uuidv7() }];
    await advance(id, { begins: false });
    expect(await advance(id, { controls })).toMatchObject({ state: 'paused', pauseNo: 1 });
    await bulks.control(id, { control: 'resume' });
    expect(await advance(id, { controls })).toMatchObject({ state: 'running', pauseNo: 1 });
    expect(await advance(id, { controls: [{ control: 'pause', id: uuidv7() }] })).toMatchObject({
      pauseNo: 2,
    });
  });
});
