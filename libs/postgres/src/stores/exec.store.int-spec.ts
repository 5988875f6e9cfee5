import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { uuidv7 } from 'uuidv7';
import {
  canceledBeforeStartEnd,
  encodeFrame,
  endFromExitRecord,
  execId,
  hostId,
  limits,
  operationId,
  ownerId,
  sandboxId,
  tenantId,
  type Chunk,
  type ExecId,
  type NewExec,
  type SandboxId,
} from '#domain';
import { runningStack } from '../../../../test/stack/running-stack.js';
import { exitRecordOf } from '../../../../test/fakes/exit-record.js';
import { createTestDatabase, type TestDatabase } from '../testing-database.js';
import { PostgresExecStore } from './exec.store.js';
import { PostgresOperationStore } from './operation.store.js';
import { PostgresSandboxStore } from './sandbox.store.js';

const TENANT = tenantId('default');
const HOST = hostId('local');
const CLAIM_LIVE = ['starting', 'running'] as const;

let test: TestDatabase;
let execs: PostgresExecStore;
let sandboxes: PostgresSandboxStore;
let operations: PostgresOperationStore;
let sandbox: SandboxId;

beforeAll(async () => {
  test = await createTestDatabase(runningStack().databaseUrl);
  execs = new PostgresExecStore(test.database);
  sandboxes = new PostgresSandboxStore(test.database);
  operations = new PostgresOperationStore(test.database);
});
afterAll(async () => test.drop());

beforeEach(async () => {
  sandbox = await runningSandbox();
});

async function runningSandbox(): Promise<SandboxId> {
  const start = operationId(uuidv7());
  const id = sandboxId(uuidv7());
  const scope = { tenantId: TENANT, ownerId: ownerId('u1') };
  await sandboxes.ensureStarted(
    { ...scope, id, name: `s-${id}`, image: 'image', tier: 'small', hostId: HOST },
    { ...scope, id: start, sandboxId: id, kind: 'start', requestHash: 'hash' },
  );
  await operations.beginStep(start, 'create_container', new Date().toISOString());
  const generation = await sandboxes.raiseGeneration(id, start);
  await sandboxes.observeByOperation(id, start, {
    generation,
    observedState: 'running',
    containerId: 'c1',
    failure: null,
  });
  await operations.move(start, ['running'], 'succeeded');
  return id;
}

function newExec(change: Partial<NewExec> = {}): NewExec {
  return {
    id: execId(uuidv7()),
    tenantId: TENANT,
    ownerId: ownerId('u1'),
    sandboxId: sandbox,
    requestHash: 'hash',
    request: {
      argv: ['true'],
      env: {},
      workingDirectory: null,
      timeoutSeconds: 60,
      queueTimeoutSeconds: 60,
      outputBytesMax: 1_000,
    },
    ...change,
  };
}

async function claimed(): Promise<ExecId> {
  const { row } = await execs.create(newExec());
  await execs.claim(row.id, HOST);
  return row.id;
}

const text = new TextEncoder();
function chunk(position: number, stdoutFrom: number, payload: string): Chunk {
  const frames = encodeFrame({
    stream: 'stdout',
    flags: 0,
    offset: stdoutFrom,
    timeMicros: 1,
    payload: text.encode(payload),
  });
  return {
    position,
    endPosition: position + frames.byteLength,
    stdoutFrom,
    stdoutTo: stdoutFrom + payload.length,
    stderrFrom: 0,
    stderrTo: 0,
    frames,
  };
}

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
    for (let n = 0; n < limits.EXEC_RUNNING_PER_SANDBOX_MAX + 5; n += 1)
      created.push((await execs.create(newExec())).row.id);
    const results = await Promise.all(created.toReversed().map((id) => execs.claim(id, HOST)));
    const claimedIds = results.filter((result) => result.kind === 'claimed').map((result) => result.exec.id);
    expect(new Set(claimedIds)).toEqual(new Set(created.slice(0, limits.EXEC_RUNNING_PER_SANDBOX_MAX)));
    expect(await execs.listStartable(sandbox)).toEqual([]);
    const [first] = claimedIds;
    await execs.end(first as ExecId, CLAIM_LIVE, canceledBeforeStartEnd());
    expect(await execs.listStartable(sandbox)).toEqual([created[limits.EXEC_RUNNING_PER_SANDBOX_MAX]]);
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
