import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { canceledBeforeStartEnd, ownerId, tenantId, type ExecId, type SandboxId } from '#domain';
import { runningStack } from '../../../../test/stack/running-stack.js';
import { createTestDatabase, type TestDatabase } from '../testing-database.js';
import { newExec, runningSandbox } from '../testing-rows.js';
import { PostgresExecStore } from './exec.store.js';
import { PostgresIdempotencyStore } from './idempotency.store.js';
import { PostgresSweepStore } from './sweep.store.js';

const TENANT = tenantId('default');
const OWNER = ownerId('u1');
const OLDER_MS = 10_000;
const AGAIN_MS = 60_000;
const AN_HOUR_MS = 3_600_000;
const LIMIT = 100;

let test: TestDatabase;
let execs: PostgresExecStore;
let sweeps: PostgresSweepStore;
let sandbox: SandboxId;

beforeAll(async () => {
  test = await createTestDatabase(runningStack().databaseUrl);
  execs = new PostgresExecStore(test.database, test.wakes);
  sweeps = new PostgresSweepStore(test.database);
  sandbox = await runningSandbox(test.database, 'small');
});
afterAll(async () => test.drop());

async function created(): Promise<ExecId> {
  const { row } = await execs.create(newExec(sandbox));
  return row.id;
}

async function canceledAgo(id: ExecId, seconds: number): Promise<void> {
  await execs.requestCancel(id);
  await test.database.query(
    `UPDATE execs SET cancel_requested_at = now() - make_interval(secs => $2) WHERE id = $1`,
    [id, seconds],
  );
}

const taken = async (): Promise<ExecId[]> =>
  (await sweeps.takeCanceling(OLDER_MS, AGAIN_MS, LIMIT)).map(({ id }) => id);

describe('execs that outlived their cancel', () => {
  it('are found when the signal is overdue, and not again right away', async () => {
    const overdue = await created();
    const fresh = await created();
    const ended = await created();
    await created();
    await canceledAgo(overdue, 11);
    await canceledAgo(fresh, 1);
    await canceledAgo(ended, 11);
    await execs.end(ended, ['queued'], canceledBeforeStartEnd());
    expect(await taken()).toEqual([overdue]);
    expect(await taken()).toEqual([]);
    await test.database.query(`UPDATE execs SET verified_at = now() - interval '61 seconds' WHERE id = $1`, [
      overdue,
    ]);
    expect(await taken()).toEqual([overdue]);
  });

  it('are found although the sweep had looked after them just before the cancel', async () => {
    const id = await created();
    await canceledAgo(id, 11);
    await test.database.query(`UPDATE execs SET verified_at = now() - interval '12 seconds' WHERE id = $1`, [
      id,
    ]);
    expect(await taken()).toEqual([id]);
  });
});

describe('a sweep', () => {
  it('does not read execs that have ended', async () => {
    const rows = await test.database.transaction(async (sql) => {
      await sql('SET LOCAL enable_seqscan = off');
      return await sql<{ 'QUERY PLAN': string }>(
        `EXPLAIN SELECT id FROM execs WHERE state IN ('queued', 'starting', 'running') AND cancel_requested_at < now()`,
      );
    });
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toMatch(/execs_unended/);
  });
});

describe('Idempotency-Keys', () => {
  it('stand for one request each, until they are old', async () => {
    const keys = new PostgresIdempotencyStore(test.database);
    const key = {
      tenantId: TENANT,
      ownerId: OWNER,
      keyId: randomUUID(),
      requestHash: 'a',
      resourceId: sandbox,
    };
    const first = await Promise.all(Array.from({ length: 20 }, async () => await keys.remember(key)));
    expect(first.filter(Boolean)).toHaveLength(1);
    await expect(keys.remember({ ...key, requestHash: 'b' })).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
    expect(await keys.remember({ ...key, tenantId: tenantId('other'), requestHash: 'b' })).toBe(true);
    expect(await sweeps.forgetKeys(60_000, LIMIT)).toBe(0);
    await test.database.query(`UPDATE idempotency_keys SET created_at = now() - interval '31 days'`);
    expect(await sweeps.forgetKeys(30 * 24 * 3_600_000, 1)).toBe(1);
    expect(await sweeps.forgetKeys(30 * 24 * 3_600_000, LIMIT)).toBe(1);
    expect(await keys.remember({ ...key, requestHash: 'b' })).toBe(true);
  });
});

describe('sandboxes in which execs wait', () => {
  const observed = (state: string) =>
    test.database.query(`UPDATE sandboxes SET observed_state = $2 WHERE id = $1`, [sandbox, state]);
  const operations = (state: string) =>
    test.database.query(
      `UPDATE operations SET state = $2, started_at = now(), finished_at = now() WHERE sandbox_id = $1`,
      [sandbox, state],
    );
  const stranded = async () => (await sweeps.listStranded(0, LIMIT)).map(({ id }) => id);

  it('are found where they have stopped and nothing is under way', async () => {
    await operations('succeeded');
    await observed('stopped');
    await created();
    expect(await stranded()).toEqual([sandbox]);
    expect(await sweeps.listStranded(AN_HOUR_MS, LIMIT)).toEqual([]);
  });

  it.each([
    ['it runs', () => observed('running')],
    ['its start is under way', () => operations('running')],
    ['its start waits for a person', () => operations('parked')],
    ['its start has failed since the exec came', () => operations('failed')],
    [
      'somebody wants it stopped',
      () => test.database.query(`UPDATE sandboxes SET desired_state = 'stopped' WHERE id = $1`, [sandbox]),
    ],
  ])('are left alone where %s', async (_name, change) => {
    await operations('succeeded');
    await observed('stopped');
    await test.database.query(`UPDATE sandboxes SET desired_state = 'running' WHERE id = $1`, [sandbox]);
    expect(await stranded()).toEqual([sandbox]);
    await change();
    expect(await stranded()).toEqual([]);
  });
});
