import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import {
  bulkId,
  hostId,
  limits,
  operationId,
  ownerId,
  sandboxId,
  tenantId,
  type Bulk,
  type BulkSelection,
  type NewBulk,
  type OwnerId,
  type SandboxId,
} from '#domain';
import { runningStack } from '../../../../test/stack/running-stack.js';
import { createTestDatabase, type TestDatabase } from '../testing-database.js';
import { PostgresBulkStore } from './bulk.store.js';
import { PostgresOperationStore } from './operation.store.js';
import { PostgresSandboxStore } from './sandbox.store.js';

const TENANT = tenantId('default');

let test: TestDatabase;
let bulks: PostgresBulkStore;
let sandboxes: PostgresSandboxStore;
let operations: PostgresOperationStore;

beforeAll(async () => {
  test = await createTestDatabase(runningStack().databaseUrl);
  bulks = new PostgresBulkStore(test.database);
  sandboxes = new PostgresSandboxStore(test.database);
  operations = new PostgresOperationStore(test.database);
});
afterAll(async () => test.drop());

/** Sandboxes that run and are held by nothing. */
async function fleet(owner: OwnerId, size: number): Promise<SandboxId[]> {
  const ids = Array.from({ length: size }, () => sandboxId(uuidv7()));
  await test.database.query(
    `INSERT INTO sandboxes (id, tenant_id, owner_id, name, image, tier, host_id, desired_state, observed_state, created_at)
       SELECT id, $2, $3, id::text, 'i', 'small', $4, 'running', 'running', now() + place * interval '1 millisecond'
       FROM unnest($1::uuid[]) WITH ORDINALITY AS w (id, place)`,
    [ids, TENANT, owner, hostId('local')],
  );
  return ids;
}

const newOwner = (): OwnerId => ownerId(`u-${uuidv7()}`);
const named = (ids: readonly SandboxId[]): BulkSelection => ({ kind: 'ids', ids });

async function make(selection: BulkSelection, change: Partial<NewBulk> = {}): Promise<Bulk> {
  const { row } = await bulks.create({
    id: bulkId(uuidv7()),
    tenantId: TENANT,
    work: { action: 'restart', options: {} },
    concurrencyMax: 3,
    delayMs: 0,
    failureBudget: null,
    requestHash: 'hash',
    selection,
    ...change,
  });
  return row;
}

async function endAll(id: Bulk['id'], state: 'succeeded' | 'failed'): Promise<void> {
  for (const item of await bulks.running(id)) {
    if (item.operation) await operations.move(item.operation.id, ['pending'], state);
  }
  await bulks.settle(id);
}

describe('a bulk operation', () => {
  it('freezes what is selected, in the order of its making', async () => {
    const owner = newOwner();
    const ids = await fleet(owner, 5);
    const bulk = await make({ kind: 'selector', selector: { owner: [owner], state: ['running'] } });
    await fleet(owner, 1);
    expect(bulk).toMatchObject({ state: 'pending', ownerId: owner, counts: { pending: 5, running: 0 } });
    const page = await bulks.items(bulk.id, { limit: 3 });
    const rest = await bulks.items(bulk.id, { limit: 3, cursor: page.nextCursor ?? '' });
    expect([...page.items, ...rest.items].map(({ sandboxId: id }) => id)).toEqual(ids);
    expect(rest.nextCursor).toBeNull();
  });

  it('is made once, and refuses another request under its id', async () => {
    const [one, other] = await fleet(newOwner(), 2);
    const id = bulkId(uuidv7());
    const asked = named([one as SandboxId]);
    const made = await Promise.all([make(asked, { id }), make(asked, { id })]);
    expect(made.map(({ counts }) => counts.pending)).toEqual([1, 1]);
    await expect(make(named([other as SandboxId]), { id, requestHash: 'other' })).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
  });

  it('is not made where a sandbox is not there, or is of another tenant', async () => {
    const [known] = await fleet(newOwner(), 1);
    const unknown = sandboxId(uuidv7());
    const id = bulkId(uuidv7());
    const making = make(named([known as SandboxId, unknown]), { id });
    await expect(making).rejects.toMatchObject({ code: 'not_found', pointer: '/sandboxIds/1' });
    expect(await bulks.find(TENANT, id)).toBeUndefined();
    const stranger = make(named([known as SandboxId]), { id, tenantId: tenantId('other') });
    await expect(stranger).rejects.toMatchObject({ code: 'not_found' });
  });

  it('begins no more than it may, however many begin it at once, and each item once', async () => {
    const ids = await fleet(newOwner(), 8);
    const { id } = await make(named(ids));
    expect(await bulks.begin(id)).toMatchObject({ begun: 0 });
    await bulks.attend(id);
    await Promise.all(Array.from({ length: 6 }, () => bulks.begin(id)));
    const running = await bulks.running(id);
    const begun = running.map(({ operation }) => String(operation?.sandboxId));
    expect(begun.toSorted()).toEqual(ids.slice(0, 3));
    for (const { operation } of running) expect(operation).toMatchObject({ kind: 'restart', parks: false });
    expect((await bulks.attend(id)).counts).toMatchObject({ running: 3, pending: 5 });
    await endAll(id, 'succeeded');
    await bulks.begin(id);
    expect((await bulks.attend(id)).counts).toMatchObject({ succeeded: 3, running: 3, pending: 2 });
  });

  it('skips a sandbox that is held, does nothing where it is so already, and fails what is deleted', async () => {
    const [held, stopped, deleted] = (await fleet(newOwner(), 3)) as [SandboxId, SandboxId, SandboxId];
    await sandboxes.requestOperation(TENANT, held, {
      id: operationId(uuidv7()),
      kind: 'restart',
      options: {},
      requestHash: 'somebody',
      parks: true,
    });
    for (const [sandbox, state] of [
      [stopped, 'stopped'],
      [deleted, 'deleted'],
    ]) {
      await test.database.query(`UPDATE sandboxes SET observed_state = $2 WHERE id = $1`, [sandbox, state]);
    }
    const { id } = await make(named([held, stopped, deleted]), { work: { action: 'stop', options: {} } });
    await bulks.attend(id);
    await bulks.begin(id);
    const { items } = await bulks.items(id, { limit: 10 });
    expect(items.map(({ state, failure }) => [state, failure?.code])).toEqual([
      ['skipped_busy', 'operation_in_progress'],
      ['succeeded', undefined],
      ['failed', 'sandbox_deleted'],
    ]);
    expect(await bulks.finish(id)).toMatchObject({ state: 'failed' });
  });

  it('runs a command in each, starts the sandbox where it has to, and refuses where it must not', async () => {
    const [runs, stopped] = (await fleet(newOwner(), 2)) as [SandboxId, SandboxId];
    await test.database.query(
      `UPDATE sandboxes SET observed_state = 'stopped', desired_state = 'stopped' WHERE id = $1`,
      [stopped],
    );
    const request = { argv: ['true'], timeoutSeconds: 1, queueTimeoutSeconds: 1, labels: {} } as never;
    const exec = (ifStopped: 'start' | 'fail') =>
      make(named([runs, stopped]), { work: { action: 'exec', request, ifStopped } });
    const failing = await exec('fail');
    await bulks.attend(failing.id);
    await bulks.begin(failing.id);
    const { items } = await bulks.items(failing.id, { limit: 10 });
    expect(items.map(({ state, failure }) => [state, failure?.code])).toEqual([
      ['running', undefined],
      ['failed', 'invalid_state'],
    ]);
    const starting = await exec('start');
    await bulks.attend(starting.id);
    await bulks.begin(starting.id);
    const running = await bulks.running(starting.id);
    expect(running.map((item) => [item.exec?.sandboxId, item.operation?.kind])).toEqual(
      expect.arrayContaining([
        [runs, undefined],
        [stopped, 'start'],
      ]),
    );
    const execOf = running.find(({ operation }) => operation)?.exec?.id;
    await test.database.query(`UPDATE execs SET state = 'timed_out' WHERE id = $1`, [execOf]);
    expect(await bulks.settle(starting.id)).toBe(1);
    const failed = await bulks.items(starting.id, { state: 'failed', limit: 10 });
    expect(failed.items[0]).toMatchObject({ failure: { message: 'It ended as timed_out.' }, execId: execOf });
  });

  it('begins anew what failed, all or some, and nothing for a round that is over', async () => {
    const ids = await fleet(newOwner(), 3);
    const { id } = await make(named(ids));
    await bulks.attend(id);
    await bulks.begin(id);
    await endAll(id, 'failed');
    expect(await bulks.finish(id)).toMatchObject({ state: 'failed', counts: { failed: 3 } });
    const some = { control: 'retry_failed', round: 1, sandboxIds: ids.slice(0, 1) } as const;
    expect(await bulks.control(id, some)).toMatchObject({
      decision: 'apply',
      bulk: { state: 'running', round: 2, finishedAt: null, counts: { pending: 1, failed: 2 } },
    });
    expect((await bulks.control(id, some)).decision).toBe('stale');
    await bulks.begin(id);
    const [first] = (await bulks.items(id, { limit: 1 })).items;
    expect(first).toMatchObject({ state: 'running', attempts: 2, failure: null });
  });

  it('cancels what has not begun, and ends when the last one has ended', async () => {
    const { id } = await make(named(await fleet(newOwner(), 5)));
    await bulks.attend(id);
    await bulks.begin(id);
    expect(await bulks.control(id, { control: 'cancel' })).toMatchObject({
      bulk: { state: 'canceling', counts: { running: 3, canceled: 2 } },
    });
    expect(await bulks.finish(id)).toMatchObject({ state: 'canceling', finishedAt: null });
    await endAll(id, 'succeeded');
    expect(await bulks.finish(id)).toMatchObject({
      state: 'canceled',
      counts: { succeeded: 3, canceled: 2 },
    });
  });

  it('waits between the beginnings of two items as long as it was told to', async () => {
    const { id } = await make(named(await fleet(newOwner(), 3)), { delayMs: 3_600_000 });
    await bulks.attend(id);
    expect(await bulks.begin(id)).toMatchObject({ begun: 1, waitMs: 3_600_000 });
    const next = await bulks.begin(id);
    expect(next.begun).toBe(0);
    expect(next.waitMs).toBeGreaterThan(0);
    await test.database.query(
      `UPDATE bulk_operations SET last_begun_at = now() - interval '2 hours' WHERE id = $1`,
      [id],
    );
    expect(await bulks.begin(id)).toMatchObject({ begun: 1 });
  });

  it('waits for the attention of its run from each change on', async () => {
    const { id } = await make(named(await fleet(newOwner(), 1)));
    const isUnattended = async () => (await bulks.listUnattended(-1_000, 100)).some((bulk) => bulk.id === id);
    expect(await isUnattended()).toBe(true);
    await bulks.attend(id);
    expect(await isUnattended()).toBe(false);
    await bulks.control(id, { control: 'pause' });
    expect(await isUnattended()).toBe(true);
    expect((await bulks.takeUnverified(-1_000, 100)).map((bulk) => bulk.id)).not.toContain(id);
    await bulks.attend(id);
    expect((await bulks.takeUnverified(-1_000, 100)).map((bulk) => bulk.id)).toContain(id);
  });

  it('ends without having begun anything where its run could not be started', async () => {
    const { id } = await make(named(await fleet(newOwner(), 2)));
    const failure = { code: 'dependency_unavailable', message: 'Temporal does not answer.' } as const;
    expect([await bulks.withdraw(id, failure), await bulks.withdraw(id, failure)]).toEqual([true, false]);
    await bulks.attend(id);
    expect(await bulks.begin(id)).toMatchObject({ begun: 0 });
    expect(await bulks.find(TENANT, id)).toMatchObject({
      state: 'canceled',
      failure,
      counts: { canceled: 2 },
    });
  });

  it('that was refused so begins when the same request is sent again, and only then', async () => {
    const selection = named(await fleet(newOwner(), 2));
    const { id } = await make(selection);
    await bulks.withdraw(id, { code: 'dependency_unavailable', message: 'Temporal does not answer.' });
    await expect(make(selection, { id, requestHash: 'another' })).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
    expect(await make(selection, { id })).toMatchObject({
      id,
      state: 'pending',
      failure: null,
      finishedAt: null,
      counts: { pending: 2 },
    });
    await bulks.attend(id);
    expect(await bulks.begin(id)).toMatchObject({ begun: 2 });
    await bulks.control(id, { control: 'cancel' });
    await endAll(id, 'succeeded');
    await bulks.finish(id);
    expect(await make(selection, { id })).toMatchObject({ state: 'canceled' });
  });

  it('selects no more than there may be items', async () => {
    const owner = newOwner();
    await fleet(owner, 2);
    const seen = await bulks.select(TENANT, { kind: 'selector', selector: { owner: [owner] } }, 1);
    expect([seen.total, seen.sandboxes.length]).toEqual([2, 1]);
    expect(limits.BULK_ITEMS_MAX).toBeGreaterThanOrEqual(10_000);
  });
});
