import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import {
  hostId,
  limits,
  operationId,
  ownerId,
  sandboxId,
  snapshotId,
  snapshotManifestKey,
  snapshotPartKey,
  tenantId,
  type NewSnapshot,
  type OperationId,
  type SandboxId,
} from '#domain';
import { runningStack } from '../../../../test/stack/running-stack.js';
import type { Database } from '../database.js';
import { createTestDatabase, type TestDatabase } from '../testing-database.js';
import { PostgresOperationStore } from './operation.store.js';
import { PostgresSandboxStore } from './sandbox.store.js';
import { PostgresSnapshotStore } from './snapshot.store.js';

const TENANT = tenantId('default');
const OWNER = ownerId('u1');
const SHA256 = 'a'.repeat(64);
const SUMMARY = {
  formatVersion: 1,
  entries: 3,
  bytes: 10,
  streamBytes: 2_048,
  sha256: SHA256,
  changed: 0,
  skipped: 0,
};
const FACTS = { parts: 2, manifestSha256: SHA256, summary: SUMMARY };
const KEEP_ALL = { keptPerSandbox: 100, deletedAgeMsMax: 3_600_000 };
const MANY = 100;

let test: TestDatabase;
let snapshots: PostgresSnapshotStore;
let sandboxes: PostgresSandboxStore;
let operations: PostgresOperationStore;

beforeAll(async () => {
  test = await createTestDatabase(runningStack().databaseUrl);
  snapshots = new PostgresSnapshotStore(test.database);
  sandboxes = new PostgresSandboxStore(test.database);
  operations = new PostgresOperationStore(test.database);
});
afterAll(async () => test.drop());

/** A sandbox that nothing holds. */
async function sandbox(): Promise<SandboxId> {
  const id = sandboxId(uuidv7());
  const start = operationId(uuidv7());
  const scope = { tenantId: TENANT, ownerId: OWNER };
  await sandboxes.ensureStarted(
    { ...scope, id, name: id, image: 'image', tier: 'small', hostId: hostId('local') },
    { ...scope, id: start, sandboxId: id, kind: 'start', requestHash: 'hash' },
  );
  const generation = await sandboxes.raiseGeneration(id, start);
  const seen = { generation, observedState: 'running', containerId: 'c', failure: null } as const;
  await sandboxes.observeByOperation(id, start, seen);
  await operations.move(start, ['pending'], 'succeeded');
  return id;
}

/** The operation that is making a snapshot, or restoring one. */
async function ask(
  id: SandboxId,
  kind: 'snapshot' | 'restore',
  options: { snapshotId?: NewSnapshot['id'] } = {},
): Promise<OperationId> {
  const asked = { id: operationId(uuidv7()), kind, options, requestHash: 'hash', parks: true } as const;
  await sandboxes.requestOperation(TENANT, id, asked);
  return asked.id;
}

const attemptOf = (operation: OperationId, sandbox: SandboxId): NewSnapshot => ({
  id: snapshotId(operation),
  tenantId: TENANT,
  ownerId: OWNER,
  sandboxId: sandbox,
  image: 'image',
  attempt: uuidv7(),
});

const keysOf = (snapshot: NewSnapshot): string[] => [
  snapshotPartKey(snapshot, 0),
  snapshotPartKey(snapshot, 1),
  snapshotManifestKey(snapshot),
];

async function announceAll(snapshot: NewSnapshot): Promise<void> {
  for (const key of keysOf(snapshot)) await snapshots.announce({ key, attempt: snapshot.attempt }, snapshot);
}

async function ready(id: SandboxId): Promise<NewSnapshot> {
  const making = await ask(id, 'snapshot');
  const snapshot = attemptOf(making, id);
  await snapshots.begin(snapshot);
  await announceAll(snapshot);
  expect(await snapshots.publish(snapshot, FACTS)).toBe(true);
  await operations.move(making, ['pending'], 'succeeded');
  return snapshot;
}

/** What is to be removed from object storage, and what is still being written. */
async function pendingOf(snapshot: NewSnapshot): Promise<Record<string, string>> {
  const rows = await test.database.query<{ key: string; state: string }>(
    `SELECT key, state FROM pending_objects WHERE key = ANY($1) ORDER BY key`,
    [keysOf(snapshot)],
  );
  return Object.fromEntries(rows.map(({ key, state }) => [key, state]));
}

const allOf = (snapshot: NewSnapshot, state: string): Record<string, string> =>
  Object.fromEntries(keysOf(snapshot).map((key) => [key, state]));

describe('a snapshot that is written', () => {
  it('is ready with all of its parts and its manifest, and nothing of it is pending then', async () => {
    const id = await sandbox();
    const snapshot = attemptOf(await ask(id, 'snapshot'), id);
    expect(await snapshots.begin(snapshot)).toMatchObject({ state: 'writing', attempt: snapshot.attempt });
    await announceAll(snapshot);
    expect(await pendingOf(snapshot)).toEqual(allOf(snapshot, 'writing'));
    for (const isFirst of [true, false]) expect(await snapshots.publish(snapshot, FACTS)).toBe(isFirst);
    expect(await snapshots.get(snapshot.id)).toMatchObject({ state: 'ready', parts: 2, summary: SUMMARY });
    expect(await pendingOf(snapshot)).toEqual({});
    // A repeated attempt finds it as it is.
    const again = { ...snapshot, attempt: uuidv7() };
    expect(await snapshots.begin(again)).toMatchObject({ state: 'ready', attempt: snapshot.attempt });
    await snapshots.discard(snapshot.id);
    expect(await snapshots.find(TENANT, snapshot.id)).toBeDefined();
  });

  it('is not ready while one of its objects is missing', async () => {
    const id = await sandbox();
    const snapshot = attemptOf(await ask(id, 'snapshot'), id);
    await snapshots.begin(snapshot);
    const [first = '', second = ''] = keysOf(snapshot);
    for (const key of [first, second]) {
      await snapshots.announce({ key, attempt: snapshot.attempt }, snapshot);
    }
    expect(await snapshots.publish(snapshot, FACTS)).toBe(false);
    expect(await snapshots.get(snapshot.id)).toMatchObject({ state: 'writing', readyAt: null });
  });

  it('is that of the latest attempt alone, and what an earlier one stored goes', async () => {
    const id = await sandbox();
    const earlier = attemptOf(await ask(id, 'snapshot'), id);
    const later = { ...earlier, attempt: uuidv7() };
    await snapshots.begin(earlier);
    await announceAll(earlier);
    await snapshots.begin(later);
    await announceAll(later);
    expect(await snapshots.publish(earlier, FACTS)).toBe(false);
    expect(await snapshots.publish(later, FACTS)).toBe(true);
    expect(Object.values(await pendingOf(earlier))).not.toContain('writing');
    expect(Object.keys(await pendingOf(earlier))).toHaveLength(keysOf(earlier).length);
  });

  it('goes with what was stored of it when it is given up', async () => {
    const id = await sandbox();
    const snapshot = attemptOf(await ask(id, 'snapshot'), id);
    await snapshots.begin(snapshot);
    await announceAll(snapshot);
    for (let time = 1; time <= 2; time++) await snapshots.discard(snapshot.id);
    expect(await snapshots.find(TENANT, snapshot.id)).toBeUndefined();
    expect(Object.values(await pendingOf(snapshot))).not.toContain('writing');
    expect(await snapshots.publish(snapshot, FACTS)).toBe(false);
  });
});

describe('the snapshots of a sandbox', () => {
  it('are not more than its quota, in whatever state, and another sandbox has its own', async () => {
    const [full, other] = [await sandbox(), await sandbox()];
    await test.database.query(
      `INSERT INTO snapshots (id, tenant_id, owner_id, sandbox_id, image, state, attempt)
       SELECT gen_random_uuid(), $1, $2, $3, 'image', 'writing', gen_random_uuid() FROM generate_series(1, $4)`,
      [TENANT, OWNER, full, limits.SNAPSHOTS_PER_SANDBOX_MAX],
    );
    expect(await snapshots.count(full)).toBe(limits.SNAPSHOTS_PER_SANDBOX_MAX);
    const refused = snapshots.begin(attemptOf(await ask(full, 'snapshot'), full));
    await expect(refused).rejects.toMatchObject({ code: 'quota_exceeded' });
    await snapshots.begin(attemptOf(await ask(other, 'snapshot'), other));
    expect(await snapshots.count(other)).toBe(1);
  });

  it('are listed newest first, by pages, to their tenant alone', async () => {
    const id = await sandbox();
    const made = [await ready(id), await ready(id), await ready(id)].map((one) => one.id).toReversed();
    const page = await snapshots.list(TENANT, { sandboxId: id, limit: 2 });
    const cursor = page.nextCursor ?? '';
    const rest = await snapshots.list(TENANT, { sandboxId: id, limit: 2, cursor });
    expect([...page.items, ...rest.items].map((one) => one.id)).toEqual(made);
    expect(rest.nextCursor).toBeNull();
    const stranger = tenantId('stranger');
    expect((await snapshots.list(stranger, { sandboxId: id, limit: 2 })).items).toEqual([]);
    expect(await snapshots.delete(stranger, made[0] as never)).toBe(false);
  });

  it('are kept while an operation needs them, and go with their objects afterwards', async () => {
    const id = await sandbox();
    const snapshot = await ready(id);
    const restore = await ask(id, 'restore', { snapshotId: snapshot.id });
    const refused = snapshots.delete(TENANT, snapshot.id);
    await expect(refused).rejects.toMatchObject({
      code: 'operation_in_progress',
      extra: { operationId: restore },
    });
    await snapshots.expire({ keptPerSandbox: 0, deletedAgeMsMax: 0 }, MANY);
    expect(await snapshots.find(TENANT, snapshot.id)).toBeDefined();
    await operations.move(restore, ['pending'], 'succeeded');
    for (const isThere of [true, false]) expect(await snapshots.delete(TENANT, snapshot.id)).toBe(isThere);
    expect(Object.keys(await pendingOf(snapshot))).toEqual(keysOf(snapshot).toSorted());
  });
});

describe('retention', () => {
  it('keeps the newest of each sandbox, and removes no more at once than it is told', async () => {
    const [id, other] = [await sandbox(), await sandbox()];
    const made = [await ready(id), await ready(id), await ready(id)];
    const single = await ready(other);
    const policy = { ...KEEP_ALL, keptPerSandbox: 1 };
    const left = async (): Promise<number> => await snapshots.count(id);
    for (let before = await left(); before > 1; before = await left()) {
      expect(await snapshots.expire(policy, 1)).toBe(1);
    }
    expect(await snapshots.find(TENANT, made[2]?.id as never)).toBeDefined();
    expect(await snapshots.find(TENANT, single.id)).toBeDefined();
  });

  it('removes those of a sandbox that was deleted long ago', async () => {
    const [gone, there] = [await sandbox(), await sandbox()];
    const [of, kept] = [await ready(gone), await ready(there)];
    await test.database.query(
      `UPDATE sandboxes SET observed_state = 'deleted', updated_at = now() - interval '2 hours' WHERE id = $1`,
      [gone],
    );
    await snapshots.expire(KEEP_ALL, MANY);
    expect(await snapshots.find(TENANT, of.id)).toBeUndefined();
    expect(await snapshots.find(TENANT, kept.id)).toBeDefined();
  });

  it('removes what nobody is making any more, and leaves what somebody is', async () => {
    const [idle, busy] = [await sandbox(), await sandbox()];
    const making = await ask(idle, 'snapshot');
    const [abandoned, underWay] = [attemptOf(making, idle), attemptOf(await ask(busy, 'snapshot'), busy)];
    for (const one of [abandoned, underWay]) {
      await snapshots.begin(one);
      await announceAll(one);
    }
    await operations.move(making, ['pending'], 'failed');
    await snapshots.expire(KEEP_ALL, MANY);
    expect(await snapshots.find(TENANT, abandoned.id)).toBeUndefined();
    expect(Object.values(await pendingOf(abandoned))).not.toContain('writing');
    expect(await pendingOf(underWay)).toEqual(allOf(underWay, 'writing'));
  });

  it('leaves one alone that somebody begins to restore between its choice and its lock', async () => {
    const [id, other] = [await sandbox(), await sandbox()];
    const [chosen, alike] = [await ready(id), await ready(other)];
    let restore: Promise<unknown> | undefined;
    const interrupted = Object.create(test.database) as Database;
    interrupted.transaction = async (work) =>
      await test.database.transaction(
        async (sql) =>
          await work(async (...statement) => {
            const rows = await sql(...statement);
            restore ??= ask(id, 'restore', { snapshotId: chosen.id });
            await restore;
            return rows as never;
          }),
      );
    await new PostgresSnapshotStore(interrupted).expire({ ...KEEP_ALL, keptPerSandbox: 0 }, MANY);
    expect(await snapshots.find(TENANT, chosen.id)).toBeDefined();
    expect(await snapshots.find(TENANT, alike.id)).toBeUndefined();
  });
});
