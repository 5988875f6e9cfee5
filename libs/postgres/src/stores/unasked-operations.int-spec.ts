import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import {
  execId,
  hostId,
  operationId,
  ownerId,
  sandboxId,
  tenantId,
  type ExecId,
  type Operation,
  type SandboxId,
  type SandboxObservedState,
} from '#domain';
import { runningStack } from '../../../../test/stack/running-stack.js';
import { createTestDatabase, type TestDatabase } from '../testing-database.js';
import { PostgresExecStore } from './exec.store.js';
import { PostgresOperationStore } from './operation.store.js';
import { PostgresSandboxStore } from './sandbox.store.js';
import { PostgresSweepStore } from './sweep.store.js';

const scope = { tenantId: tenantId('default'), ownerId: ownerId('u1') };
const HOST = hostId('local');
const LIMIT = 100;

let test: TestDatabase;
let sandboxes: PostgresSandboxStore;
let operations: PostgresOperationStore;
let execs: PostgresExecStore;
let sweeps: PostgresSweepStore;
let id: SandboxId;

beforeAll(async () => {
  test = await createTestDatabase(runningStack().databaseUrl);
  sandboxes = new PostgresSandboxStore(test.database);
  operations = new PostgresOperationStore(test.database);
  execs = new PostgresExecStore(test.database, test.wakes);
  sweeps = new PostgresSweepStore(test.database);
});
afterAll(async () => test.drop());

/** A sandbox that runs and has been left alone for an hour. */
beforeEach(async () => {
  id = sandboxId(uuidv7());
  const start = {
    ...scope,
    id: operationId(uuidv7()),
    sandboxId: id,
    kind: 'start',
    requestHash: 'h',
  } as const;
  const settings = { idleStopSeconds: 60 };
  await sandboxes.ensureStarted(
    { ...scope, id, name: id, image: 'i', tier: 'small', hostId: HOST, settings },
    start,
  );
  await sandboxes.raiseGeneration(id, start.id);
  await sandboxes.observeByOperation(id, start.id, {
    generation: 1,
    observedState: 'running',
    containerId: 'c',
    failure: null,
  });
  await operations.beginStep(start.id, 's', new Date().toISOString());
  await operations.move(start.id, ['running'], 'succeeded');
  await test.database.query(
    `UPDATE operations SET finished_at = now() - interval '1 hour' WHERE sandbox_id = $1`,
    [id],
  );
  await test.database.query(`UPDATE sandboxes SET created_at = now() - interval '1 hour' WHERE id = $1`, [
    id,
  ]);
});

async function exec(): Promise<ExecId> {
  const { row } = await execs.create({
    ...scope,
    id: execId(uuidv7()),
    sandboxId: id,
    requestHash: 'h',
    request: { argv: ['true'], queueTimeoutSeconds: 60, labels: {} } as never,
  });
  return row.id;
}

const idle = async (): Promise<boolean> => (await sweeps.takeIdle(LIMIT)).includes(id);
const lookAgain = async (): Promise<unknown> =>
  await test.database.query(`UPDATE sandboxes SET idle_due_at = NULL WHERE id = $1`, [id]);

async function ends(observedState: SandboxObservedState, secondsAgo: number): Promise<void> {
  const restart = { delayMs: -secondsAgo * 1_000, cause: 'failed' } as const;
  const seen = { generation: 1, observedState, failure: null, restart };
  expect(await sandboxes.observeDrift(id, seen)).toBe(true);
}

const begin = async (): Promise<Operation | undefined> =>
  await sandboxes.beginRestart(id, operationId(uuidv7()));

describe('a sandbox that nobody uses', () => {
  it('is found after its time, and stopped once, by a stop that says why and leaves it wanted', async () => {
    expect(await idle()).toBe(true);
    const begun = await Promise.all([1, 2, 3].map(() => sandboxes.beginIdleStop(id, operationId(uuidv7()))));
    expect(begun.filter((operation) => operation !== undefined)).toMatchObject([
      { kind: 'stop', options: { because: 'idle' }, parks: true },
    ]);
    expect(await sandboxes.get(id)).toMatchObject({ observedState: 'stopping', desiredState: 'running' });
  });

  it('is not one in which an exec waits, runs, or has just ended', async () => {
    const waiting = await exec();
    expect(await idle()).toBe(false);
    expect((await execs.claim(waiting, HOST)).kind).toBe('claimed');
    await lookAgain();
    expect(await idle()).toBe(false);
    await test.database.query(`UPDATE execs SET state = 'succeeded', finished_at = now() WHERE id = $1`, [
      waiting,
    ]);
    await lookAgain();
    expect(await idle()).toBe(false);
    expect(await sandboxes.beginIdleStop(id, operationId(uuidv7()))).toBeUndefined();
  });

  it('is not one in which files are on their way, which is said of one that runs only', async () => {
    expect(await sandboxes.noteUse([id], 60_000)).toEqual([id]);
    expect(await idle()).toBe(false);
    expect(await sandboxes.beginIdleStop(id, operationId(uuidv7()))).toBeUndefined();
    // What was said last does not shorten it.
    expect(await sandboxes.noteUse([id], 1)).toEqual([id]);
    await lookAgain();
    expect(await idle()).toBe(false);
    await test.database.query(`UPDATE sandboxes SET used_until = now() - interval '1 hour' WHERE id = $1`, [
      id,
    ]);
    expect(await sandboxes.beginIdleStop(id, operationId(uuidv7()))).toBeDefined();
    expect(await sandboxes.noteUse([id], 60_000)).toEqual([]);
  });

  it('keeps an exec that comes at that moment: it was there first, or it waits for the next start', async () => {
    for (let time = 1; time <= 10; time++) {
      const [taken, stop] = await Promise.all([
        exec().then((one) => execs.claim(one, HOST)),
        sandboxes.beginIdleStop(id, operationId(uuidv7())),
      ]);
      expect(taken.kind === 'claimed').toBe(stop === undefined);
      if (stop === undefined) {
        await test.database.query(
          `UPDATE execs SET state = 'succeeded', finished_at = now() - interval '1 hour' WHERE id = $1`,
          [taken.exec.id],
        );
        continue;
      }
      expect(taken).toMatchObject({ kind: 'wait', because: 'sandbox_not_running' });
      const start = { id: operationId(uuidv7()), requestHash: 'h' };
      expect(await sandboxes.ensureStartedById(scope.tenantId, id, start)).toMatchObject({ operation: null });
      return;
    }
  });

  it('is looked at again when it may be idle, not at each pass', async () => {
    await sandboxes.configure(scope.tenantId, id, { idleStopSeconds: 7_200 });
    expect(await idle()).toBe(false);
    const [row] = await test.database.query<{ soon: boolean }>(
      `SELECT idle_due_at < now() + interval '59 minutes' AS soon FROM sandboxes WHERE id = $1`,
      [id],
    );
    expect(row?.soon).toBe(false);
  });

  it('may be wanted stopped by its owner while it is being stopped', async () => {
    await sandboxes.beginIdleStop(id, operationId(uuidv7()));
    const asked = {
      id: operationId(uuidv7()),
      requestHash: 'h',
      kind: 'stop',
      options: {},
      parks: true,
    } as const;
    const { operation, created } = await sandboxes.requestOperation(scope.tenantId, id, asked);
    expect([operation?.options.because, created]).toEqual(['idle', false]);
    expect((await sandboxes.get(id)).desiredState).toBe('stopped');
  });
});

describe('what a check has shown', () => {
  const unwell = {
    generation: 1,
    health: {
      status: 'unhealthy',
      since: '2026-01-01T00:00:00.000Z',
      reason: 'a\u0000b\ud83d',
      consecutiveFailures: 3,
    },
    restartDue: null,
  } as const;

  it('is kept, whatever characters it has, and not where the settings are others meanwhile', async () => {
    const { settingsVersion } = await sandboxes.get(id);
    expect(await sandboxes.recordHealth(id, { ...unwell, settingsVersion }, null)).toBe(true);
    expect((await sandboxes.get(id)).health).toEqual({ ...unwell.health, reason: 'ab\ufffd' });
    await sandboxes.configure(scope.tenantId, id, { restartPolicy: 'never' });
    expect(await sandboxes.recordHealth(id, { ...unwell, settingsVersion }, null)).toBe(false);
  });
});

describe('a sandbox that came to an end by itself', () => {
  it('is started again once, when its time has come, and that is counted', async () => {
    await ends('stopped', -60);
    expect(await sweeps.listRestartable(LIMIT)).not.toContain(id);
    expect(await begin()).toBeUndefined();
    await test.database.query(`UPDATE sandboxes SET restart_due_at = now() WHERE id = $1`, [id]);
    expect(await sweeps.listRestartable(LIMIT)).toContain(id);
    const begun = await Promise.all([begin(), begin(), begin()]);
    expect(begun.filter((operation) => operation !== undefined)).toMatchObject([
      { kind: 'start', options: { because: 'failed' } },
    ]);
    const sandbox = await sandboxes.get(id);
    expect([sandbox.restarts.length, sandbox.restartDue]).toEqual([1, null]);
  });

  it('is left alone where its owner has stopped it since, or where it runs again', async () => {
    await ends('missing', 1);
    await sandboxes.setDesired(id, 'stopped');
    expect([await sweeps.listRestartable(LIMIT), await begin()]).toEqual([
      expect.not.arrayContaining([id]),
      undefined,
    ]);
    await sandboxes.setDesired(id, 'running');
    await sandboxes.observeDrift(id, { generation: 1, observedState: 'running', failure: null });
    expect((await sandboxes.get(id)).restartDue).toBeNull();
    expect(await begin()).toBeUndefined();
  });

  it('is seen and started again although a push waits for somebody there, but not while it runs', async () => {
    const push = {
      id: operationId(uuidv7()),
      requestHash: 'h',
      kind: 'git_push',
      options: {},
      parks: true,
    } as const;
    await sandboxes.requestOperation(scope.tenantId, id, push);
    expect(await operations.liveSandboxes(HOST)).not.toContain(id);
    await ends('stopped', 1);
    expect([await sweeps.listRestartable(LIMIT), await begin()]).toEqual([
      expect.not.arrayContaining([id]),
      undefined,
    ]);
    await operations.beginStep(push.id, 'push_branch', new Date().toISOString());
    const failure = { code: 'git_network', message: 'no' } as const;
    const now = new Date().toISOString();
    const park = { step: 'push_branch', parkNo: 1, failure, parkedAt: now, deadlineAt: now };
    await operations.move(push.id, ['running'], 'parked', { park, failure });
    expect(await sweeps.listRestartable(LIMIT)).toContain(id);
    expect(await begin()).toMatchObject({ kind: 'start', tookOver: { operationId: push.id, parkNo: 1 } });
    expect(await operations.get(push.id)).toMatchObject({ state: 'canceled' });
  });

  it('has its restarts forgotten by whoever holds it, and by nobody else', async () => {
    await ends('stopped', 1);
    const operation = await begin();
    await sandboxes.forgiveRestarts(id, operationId(uuidv7()));
    expect((await sandboxes.get(id)).restarts).toHaveLength(1);
    if (operation) await sandboxes.forgiveRestarts(id, operation.id);
    expect((await sandboxes.get(id)).restarts).toEqual([]);
  });

  it('has no restarts any more that count when somebody asks for it by name, or when they are long ago', async () => {
    await ends('stopped', 1);
    const operation = await begin();
    await operations.beginStep(String(operation?.id) as never, 's', new Date().toISOString());
    await operations.move(String(operation?.id) as never, ['running'], 'failed');
    const old = `jsonb_build_array(now() - interval '1 hour', now() - interval '1 minute')`;
    await test.database.query(
      `UPDATE sandboxes SET restarts = ${old}, observed_state = 'stopped' WHERE id = $1`,
      [id],
    );
    expect((await sandboxes.get(id)).restarts).toHaveLength(1);
    const asked = {
      id: operationId(uuidv7()),
      requestHash: 'h',
      kind: 'start',
      options: {},
      parks: true,
    } as const;
    await sandboxes.requestOperation(scope.tenantId, id, asked);
    expect((await sandboxes.get(id)).restarts).toEqual([]);
  });

  it('is not started again by a policy that was changed meanwhile', async () => {
    await ends('stopped', 1);
    await sandboxes.configure(scope.tenantId, id, { restartPolicy: 'never' }, 1);
    expect(await begin()).toBeUndefined();
    await expect(sandboxes.configure(scope.tenantId, id, {}, 1)).rejects.toMatchObject({
      code: 'precondition_failed',
    });
  });
});
