import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  canceledBeforeStartEnd,
  endFromExitRecord,
  hostId,
  tenantId,
  TIERS,
  type Chunk,
  type Exec,
  type ExecId,
  type ExecListQuery,
  type NewExec,
  type SandboxId,
} from '#domain';
import { runningStack } from '../../../../test/stack/running-stack.js';
import { exitRecordOf } from '../../../../test/fakes/exit-record.js';
import { createTestDatabase, type TestDatabase } from '../testing-database.js';
import { chunkOf, HOST, newExec as newExecIn, runningSandbox, TENANT } from '../testing-rows.js';
import { PostgresExecStore } from './exec.store.js';
import { PostgresSandboxStore } from './sandbox.store.js';

const CLAIM_LIVE = ['starting', 'running'] as const;

let test: TestDatabase;
let execs: PostgresExecStore;
let sandboxes: PostgresSandboxStore;
let sandbox: SandboxId;

beforeAll(async () => {
  test = await createTestDatabase(runningStack().databaseUrl);
  execs = new PostgresExecStore(test.database, test.wakes);
  sandboxes = new PostgresSandboxStore(test.database);
});
afterAll(async () => test.drop());

beforeEach(async () => {
  sandbox = await runningSandbox(test.database, 'small');
});

const newExec = (change: Partial<NewExec> = {}): NewExec => newExecIn(sandbox, change);

async function claimed(): Promise<ExecId> {
  const { row } = await execs.create(newExec());
  await execs.claim(row.id, HOST);
  return row.id;
}

const text = new TextEncoder();
const chunk = (position: number, stdoutFrom: number, payload: string): Chunk =>
  chunkOf(position, stdoutFrom, text.encode(payload));

describe('creating an exec', () => {
  it('makes one row however often the same request comes', async () => {
    const exec = newExec();
    const answers = await Promise.all(Array.from({ length: 50 }, () => execs.create(exec)));
    expect(answers.filter((answer) => answer.created)).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.row.id))).toEqual(new Set([exec.id]));
  });

  it('refuses another request under the same id', async () => {
    const exec = newExec();
    await execs.create(exec);
    await expect(execs.create({ ...exec, requestHash: 'other' })).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
  });

  it('does not find the sandbox of another tenant', async () => {
    const foreign = newExec({ tenantId: tenantId('other') });
    await expect(execs.create(foreign)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('claiming an exec', () => {
  it('succeeds once, and is `live` for everyone else', async () => {
    const { row } = await execs.create(newExec());
    const results = await Promise.all(Array.from({ length: 20 }, () => execs.claim(row.id, HOST)));
    expect(results.filter((result) => result.kind === 'claimed')).toHaveLength(1);
    expect(results.filter((result) => result.kind === 'live')).toHaveLength(19);
  });

  it('carries the generation of the container', async () => {
    expect((await execs.get(await claimed())).generation).toBe(1);
  });

  it('never exceeds the limit of a sandbox, and lets the oldest go first', async () => {
    const created = [];
    for (let n = 0; n < TIERS.small.execsRunningMax + 5; n += 1)
      created.push((await execs.create(newExec())).row.id);
    const results = await Promise.all(created.toReversed().map((id) => execs.claim(id, HOST)));
    const claimedIds = results.filter((result) => result.kind === 'claimed').map((result) => result.exec.id);
    expect(new Set(claimedIds)).toEqual(new Set(created.slice(0, TIERS.small.execsRunningMax)));
    expect(await execs.listStartable(sandbox)).toEqual([]);
    const [first] = claimedIds;
    await execs.end(first as ExecId, CLAIM_LIVE, canceledBeforeStartEnd());
    expect(await execs.listStartable(sandbox)).toEqual([created[TIERS.small.execsRunningMax]]);
  });

  it('waits while the sandbox does not run', async () => {
    const { row } = await execs.create(newExec());
    await sandboxes.observeDrift(sandbox, { generation: 1, observedState: 'stopped', failure: null });
    expect(await execs.claim(row.id, HOST)).toMatchObject({ kind: 'wait', because: 'sandbox_not_running' });
  });

  it('is refused to a host that does not have the sandbox', async () => {
    const { row } = await execs.create(newExec());
    expect(await execs.claim(row.id, hostId('elsewhere'))).toMatchObject({ kind: 'wait' });
  });
});

describe('the queue of a sandbox', () => {
  const QUEUED_MAX = 5;
  const narrow = { ...TIERS, small: { ...TIERS.small, execsQueuedMax: QUEUED_MAX } };

  it('takes exactly its limit when fifty come at once, and says when to come again', async () => {
    const store = new PostgresExecStore(test.database, test.wakes, narrow);
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, async () => await store.create(newExec())),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(QUEUED_MAX);
    for (const result of results) {
      if (result.status === 'fulfilled') continue;
      expect(result.reason).toMatchObject({ code: 'queue_full', extra: { queuedMax: QUEUED_MAX } });
      expect(result.reason).toMatchObject({ retryAfterSeconds: expect.any(Number) });
    }
  });

  it('has a place again as soon as one was claimed, and answers a repeated request even when it is full', async () => {
    const store = new PostgresExecStore(test.database, test.wakes, narrow);
    const requests = Array.from({ length: QUEUED_MAX }, () => newExec());
    for (const request of requests) await store.create(request);
    await expect(store.create(newExec())).rejects.toMatchObject({ code: 'queue_full' });
    expect(await store.create(requests[0] as NewExec)).toMatchObject({ created: false });
    await store.claim((requests[0] as NewExec).id, HOST);
    expect(await store.create(newExec())).toMatchObject({ created: true });
  });

  it('numbers those that wait, from 1, in the order of their arrival', async () => {
    const rows: Exec[] = [];
    for (let n = 0; n < 4; n += 1) rows.push((await execs.create(newExec())).row);
    const places = () => rows.map(({ id }) => seen.get(id) ?? null);
    let seen = await execs.queuePositions(rows);
    expect(places()).toEqual([1, 2, 3, 4]);
    await execs.claim((rows[0] as Exec).id, HOST);
    seen = await execs.queuePositions(rows);
    expect(places()).toEqual([null, 1, 2, 3]);
  });
});

describe('a list of execs', () => {
  const labelled = async (labels: Record<string, string>): Promise<ExecId> => {
    const exec = newExec();
    return (await execs.create({ ...exec, request: { ...exec.request, labels } })).row.id;
  };
  const idsOf = async (query: Partial<ExecListQuery>): Promise<ExecId[]> => {
    const page = await execs.list(TENANT, { sandboxId: sandbox, limit: 10, ...query });
    return page.items.map(({ id }) => id);
  };

  it('finds what has all of the labels', async () => {
    const both = await labelled({ run: '7', branch: 'a=b' });
    const one = await labelled({ run: '7' });
    await labelled({});
    expect(await idsOf({ labels: { run: '7' } })).toEqual([one, both]);
    expect(await idsOf({ labels: { run: '7', branch: 'a=b' } })).toEqual([both]);
    expect(await idsOf({ labels: { run: '8' } })).toEqual([]);
  });

  it('uses the index of labels', async () => {
    const rows = await test.database.transaction(async (sql) => {
      await sql('SET LOCAL enable_seqscan = off');
      return await sql<{ 'QUERY PLAN': string }>(
        `EXPLAIN SELECT id FROM execs e
         WHERE e.request->'labels' @> '{"run":"7"}'::jsonb AND e.request->'labels' <> '{}'::jsonb`,
      );
    });
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toContain('execs_labels');
  });

  it('finds by any of several states and by time', async () => {
    const before = new Date(Date.now() - 60_000).toISOString();
    const after = new Date(Date.now() + 60_000).toISOString();
    const { id: queued } = (await execs.create(newExec())).row;
    const running = await claimed();
    expect(await idsOf({ states: ['queued'] })).toEqual([queued]);
    expect(await idsOf({ states: ['queued', 'starting'] })).toEqual([running, queued]);
    expect(await idsOf({ createdAfter: before, createdBefore: after })).toEqual([running, queued]);
    expect(await idsOf({ createdAfter: after })).toEqual([]);
    expect(await idsOf({ createdBefore: before })).toEqual([]);
  });
});

describe('appending output', () => {
  it('keeps one writer: the second append at a position changes nothing', async () => {
    const id = await claimed();
    const first = chunk(0, 0, 'hello');
    const results = await Promise.all(Array.from({ length: 10 }, () => execs.append(id, first)));
    expect(results.filter(Boolean)).toHaveLength(1);
    expect(await execs.get(id)).toMatchObject({ committedPosition: first.endPosition, stdoutBytes: 5 });
    expect(await execs.readChunks(id, 0, 1_000)).toHaveLength(1);
  });

  it('is refused after the end', async () => {
    const id = await claimed();
    await execs.end(id, CLAIM_LIVE, canceledBeforeStartEnd());
    expect(await execs.append(id, chunk(0, 0, 'late'))).toBe(false);
  });

  it('reads back the same bytes from any position and any byte of a stream', async () => {
    const id = await claimed();
    const first = chunk(0, 0, 'hello ');
    const second = chunk(first.endPosition, 6, 'world');
    await execs.append(id, first);
    await execs.append(id, second);
    const all = await execs.readChunks(id, 0, 1_000_000);
    expect(all.map((one) => Buffer.from(one.frames))).toEqual(
      [first, second].map((one) => Buffer.from(one.frames)),
    );
    expect(await execs.readChunks(id, first.endPosition, 1_000)).toHaveLength(1);
    expect(await execs.readChunks(id, 0, 1)).toHaveLength(1);
    expect(await execs.readStreamChunks(id, 'stdout', 6, 1_000)).toMatchObject([{ stdoutFrom: 6 }]);
    expect(await execs.readStreamChunks(id, 'stderr', 0, 1_000)).toEqual([]);
  });
});

describe('ending an exec', () => {
  it('happens once', async () => {
    const id = await claimed();
    const end = endFromExitRecord(exitRecordOf({ execId: id }));
    const results = await Promise.all(Array.from({ length: 10 }, () => execs.end(id, CLAIM_LIVE, end)));
    expect(results.filter(Boolean)).toHaveLength(1);
    expect(await execs.get(id)).toMatchObject({ state: 'succeeded', exitCode: 0 });
  });

  it('waits for the last byte: an exit record counts only when everything before it is committed', async () => {
    const id = await claimed();
    const first = chunk(0, 0, 'hello');
    const end = endFromExitRecord(exitRecordOf({ execId: id, endPosition: first.endPosition }));
    expect(await execs.end(id, CLAIM_LIVE, end)).toBe(false);
    await execs.append(id, first);
    expect(await execs.end(id, CLAIM_LIVE, end)).toBe(true);
  });
});
