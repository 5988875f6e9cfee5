import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import {
  hostId,
  operationId,
  ownerId,
  sandboxId,
  tenantId,
  type Operation,
  type OperationKind,
  type OperationRequest,
  type Park,
  type RequestedOperation,
  type SandboxId,
} from '#domain';
import { runningStack } from '../../../../test/stack/running-stack.js';
import { createTestDatabase, type TestDatabase } from '../testing-database.js';
import { PostgresOperationStore } from './operation.store.js';
import { PostgresSandboxStore } from './sandbox.store.js';

const TENANT = tenantId('default');
const PARK: Park = {
  step: 'create_container',
  parkNo: 1,
  failure: { code: 'image_missing', message: 'No such image.' },
  parkedAt: '2026-01-01T00:00:00.000Z',
  deadlineAt: '2026-01-08T00:00:00.000Z',
};

let test: TestDatabase;
let sandboxes: PostgresSandboxStore;
let operations: PostgresOperationStore;

beforeAll(async () => {
  test = await createTestDatabase(runningStack().databaseUrl);
  sandboxes = new PostgresSandboxStore(test.database);
  operations = new PostgresOperationStore(test.database);
});
afterAll(async () => test.drop());

/** A sandbox whose start is live. */
async function starting(): Promise<{ id: SandboxId; start: Operation }> {
  const id = sandboxId(uuidv7());
  const scope = { tenantId: TENANT, ownerId: ownerId('u1') };
  const { operation } = await sandboxes.ensureStarted(
    { ...scope, id, name: id, image: 'image', tier: 'small', hostId: hostId('local') },
    { ...scope, id: operationId(uuidv7()), sandboxId: id, kind: 'start', requestHash: 'hash' },
  );
  return { id, start: operation as Operation };
}

async function running(): Promise<SandboxId> {
  const { id, start } = await starting();
  const generation = await sandboxes.raiseGeneration(id, start.id);
  const seen = { generation, observedState: 'running', containerId: 'c', failure: null } as const;
  await sandboxes.observeByOperation(id, start.id, seen);
  await operations.move(start.id, ['pending'], 'succeeded');
  return id;
}

const asked = (kind: OperationKind, change: Partial<OperationRequest> = {}): OperationRequest => ({
  id: operationId(uuidv7()),
  requestHash: `hash of ${kind}`,
  kind,
  options: {},
  parks: true,
  ...change,
});

const request = async (id: SandboxId, wanted: OperationRequest): Promise<RequestedOperation> =>
  await sandboxes.requestOperation(TENANT, id, wanted);

async function parked(): Promise<{ id: SandboxId; start: Operation }> {
  const { id, start } = await starting();
  await operations.move(start.id, ['pending'], 'parked', { park: PARK, failure: PARK.failure });
  return { id, start };
}

describe('an operation that is asked for', () => {
  it('is one run for any number of simultaneous requests', async () => {
    const id = await running();
    const answers = await Promise.all(Array.from({ length: 10 }, () => request(id, asked('restart'))));
    expect(new Set(answers.map(({ operation }) => operation?.id)).size).toBe(1);
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
  });

  it('is one of many different ones, and the others are told which', async () => {
    const id = await running();
    const kinds = ['stop', 'restart', 'delete', 'stop', 'restart', 'delete'] as const;
    const answers = await Promise.allSettled(kinds.map((kind) => request(id, asked(kind))));
    const given = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value.operation] : []));
    expect(new Set(given.map((one) => one?.id)).size).toBe(1);
    expect(given.length).toBe(2);
    for (const answer of answers) {
      if (answer.status === 'rejected') {
        expect(answer.reason).toMatchObject({
          code: 'operation_in_progress',
          extra: { operationId: given[0]?.id, kind: given[0]?.kind, state: 'pending' },
        });
      }
    }
  });

  it('says what its owner wants from then on', async () => {
    const id = await running();
    expect((await request(id, asked('stop'))).sandbox.desiredState).toBe('stopped');
    expect(await sandboxes.get(id)).toMatchObject({ desiredState: 'stopped', observedState: 'running' });
  });

  it('is the same for its id, also after it has ended, and refused as something else', async () => {
    const id = await running();
    const wanted = asked('restart', { options: { running: 'wait', waitSeconds: 9 } });
    const { operation } = await request(id, wanted);
    expect(operation).toMatchObject({
      options: { running: 'wait', waitSeconds: 9 },
      parks: true,
      tookOver: null,
    });
    await operations.move(wanted.id, ['pending'], 'succeeded');
    expect((await request(id, wanted)).operation).toMatchObject({ id: wanted.id, state: 'succeeded' });
    const other = { ...wanted, requestHash: 'another' };
    await expect(request(id, other)).rejects.toMatchObject({ code: 'idempotency_key_reused' });
  });

  it('is nothing where it is so already, and still changes the wish', async () => {
    const id = await running();
    await sandboxes.setDesired(id, 'stopped');
    const { operation, created, sandbox } = await request(id, asked('start'));
    expect({ operation, created }).toEqual({ operation: null, created: false });
    expect(sandbox.desiredState).toBe('running');
  });

  it('is withdrawn with its wish where its run was never started, and not once that has begun', async () => {
    const id = await running();
    const { operation } = await request(id, asked('delete'));
    const failure = { code: 'dependency_unavailable', message: 'Temporal is away.' } as const;
    const withdraw = async () => await sandboxes.withdrawOperation(operation?.id as never, failure);
    expect([await withdraw(), await withdraw()]).toEqual([true, false]);
    expect(await sandboxes.get(id)).toMatchObject({ desiredState: 'running' });
    const { operation: next } = await request(id, asked('stop'));
    await operations.beginStep(next?.id as never, 'hold_queue', PARK.parkedAt);
    expect(await sandboxes.withdrawOperation(next?.id as never, failure)).toBe(false);
    expect(await sandboxes.get(id)).toMatchObject({ desiredState: 'stopped' });
  });

  it('keeps what it has brought about after its end, and takes nothing more then', async () => {
    const id = await running();
    const { operation } = await request(id, asked('restart'));
    expect(operation).toMatchObject({ result: null });
    const restart = operation?.id as never;
    expect(await operations.recordResult(restart, { first: 1 })).toBe(true);
    expect(await operations.recordResult(restart, { second: 'b' })).toBe(true);
    await expect(operations.recordResult(restart, { long: 'x'.repeat(16_384) })).rejects.toThrow(
      /result_bytes/,
    );
    await operations.move(restart, ['pending'], 'succeeded');
    expect(await operations.recordResult(restart, { third: true })).toBe(false);
    expect(await operations.get(restart)).toMatchObject({ state: 'succeeded', result: { second: 'b' } });
  });

  it('is not found for another tenant', async () => {
    const wanted = sandboxes.requestOperation(tenantId('other'), await running(), asked('stop'));
    await expect(wanted).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('a parked run', () => {
  it.each(['stop', 'delete'] as const)('loses its sandbox to a %s, which names it', async (kind) => {
    const { id, start } = await parked();
    const { operation } = await request(id, asked(kind));
    expect(operation).toMatchObject({
      kind,
      tookOver: { operationId: start.id, step: 'create_container', parkNo: 1 },
    });
    expect(await operations.get(start.id)).toMatchObject({
      state: 'canceled',
      park: null,
      failure: { code: 'operation_in_progress' },
    });
    await expect(operations.beginStep(start.id, 'create_container', PARK.parkedAt)).rejects.toMatchObject({
      code: 'invalid_state',
    });
    await expect(sandboxes.raiseGeneration(id, start.id)).rejects.toMatchObject({ code: 'invalid_state' });
  });

  it('keeps it against a restart', async () => {
    const { id, start } = await parked();
    await expect(request(id, asked('restart'))).rejects.toMatchObject({
      code: 'operation_in_progress',
      extra: { operationId: start.id, state: 'parked' },
    });
  });

  it('either goes on or is taken over, however close the two come', async () => {
    for (let round = 0; round < 20; round++) {
      const { id, start } = await parked();
      const [resumed, taken] = await Promise.all([
        operations.move(start.id, ['parked'], 'running'),
        request(id, asked('stop')).then(
          () => true,
          () => false,
        ),
      ]);
      expect(resumed).toBe(!taken);
    }
  });
});

describe('the need of a running sandbox', () => {
  const need = async (id: SandboxId) =>
    await sandboxes.ensureStartedById(TENANT, id, { id: operationId(uuidv7()), requestHash: 'need' });

  it('waits for a restart and is refused by a stop', async () => {
    const id = await running();
    const { operation } = await request(id, asked('restart'));
    expect((await need(id)).operation?.id).toBe(operation?.id);
    const other = await running();
    await request(other, asked('stop'));
    await expect(need(other)).rejects.toMatchObject({ code: 'operation_in_progress' });
  });
});
