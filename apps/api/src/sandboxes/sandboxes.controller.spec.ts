import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { execId, operationId, sandboxId } from '#domain';
import { ADMIN, startTestApp } from '../../../../test/fakes/api-app.js';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';
import { ExecPage, ExecView } from '../execs/exec.view.js';
import { OperationView } from '../operations/operation.view.js';
import { SandboxPage, SandboxView, SandboxWithOperation } from './sandbox.view.js';

describe('sandboxes and what runs in them', () => {
  let world: MemoryWorld;
  let app: NestFastifyApplication;

  beforeEach(async () => {
    world = new MemoryWorld();
    app = await startTestApp(world);
  });
  afterEach(async () => await app.close());

  const get = async (url: string) => await app.inject({ url, headers: ADMIN });
  const post = async (url: string, payload?: object, headers: Record<string, string> = {}) =>
    await app.inject({
      method: 'POST',
      url,
      headers: { ...ADMIN, ...headers },
      ...(payload === undefined ? {} : { payload }),
    });

  async function sandbox(owner = 'u1', name = 'box') {
    const response = await post('/v1/sandboxes', { owner, name });
    return SandboxWithOperation.parse(response.json());
  }

  async function exec(id: string) {
    return ExecView.parse((await post(`/v1/sandboxes/${id}/execs`, { argv: ['true'] })).json());
  }

  it('are made with an operation whose address is given', async () => {
    const response = await post('/v1/sandboxes', { owner: 'u1', image: 'debian:12', tier: 'small' });
    expect(response.statusCode).toBe(202);
    const body = SandboxWithOperation.parse(response.json());
    expect(body.sandbox).toMatchObject({ owner: 'u1', name: 'default', image: 'debian:12', tier: 'small' });
    expect(response.headers['location']).toBe(`/v1/operations/${body.operation?.id}`);
    const operation = OperationView.parse((await get(String(response.headers['location']))).json());
    expect(operation).toMatchObject({ kind: 'start', state: 'pending', sandboxId: body.sandbox.id });
    expect(world.workflows.startedOperations.has(operationId(operation.id))).toBe(true);
  });

  it('are found again under their name, with the start that is under way, and refused as something else', async () => {
    const first = await sandbox();
    const again = await sandbox();
    expect(again).toEqual(first);
    const other = await post('/v1/sandboxes', { owner: 'u1', name: 'box', tier: 'large' });
    expect(other.statusCode).toBe(409);
    expect(other.json()).toMatchObject({ code: 'invalid_state', sandboxId: first.sandbox.id });
  });

  it('that run are 200 without an operation', async () => {
    const { sandbox: made, operation } = await sandbox();
    world.sandboxes.change(sandboxId(made.id), { observedState: 'running' });
    await world.operations.move(operationId(operation?.id ?? ''), ['pending'], 'succeeded');
    const response = await post('/v1/sandboxes', { owner: 'u1', name: 'box' });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ operation: null, sandbox: { observedState: 'running' } });
  });

  it('are not started anew under the key of another request while they run', async () => {
    const headers = { 'idempotency-key': 'k1' };
    await post('/v1/sandboxes', { owner: 'u1' });
    const [known] = [...world.sandboxes.rows.values()];
    world.sandboxes.change(sandboxId(String(known?.id)), { observedState: 'running' });
    for (const row of world.operations.rows.values())
      await world.operations.move(row.id, ['pending'], 'succeeded');
    const first = await post('/v1/sandboxes', { owner: 'u1' }, headers);
    expect(first.statusCode).toBe(200);
    expect(first.headers).not.toHaveProperty('idempotency-replayed');
    const again = await post('/v1/sandboxes', { owner: 'u1' }, headers);
    expect(again.headers['idempotency-replayed']).toBe('true');
    for (const other of [{ owner: 'u2' }, { owner: 'u1', image: 'other' }, { owner: 'u1', name: 'b' }]) {
      const refused = await post('/v1/sandboxes', other, headers);
      expect(refused.statusCode).toBe(422);
      expect(refused.json()).toMatchObject({ code: 'idempotency_key_reused' });
    }
    expect(world.sandboxes.rows.size).toBe(1);
  });

  it('are made once under one Idempotency-Key, and the key is refused for another request', async () => {
    const headers = { 'idempotency-key': 'k1' };
    const first = await post('/v1/sandboxes', { owner: 'u1' }, headers);
    const again = await post('/v1/sandboxes', { owner: 'u1' }, headers);
    expect(again.json()).toEqual(first.json());
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect((await post('/v1/sandboxes', { owner: 'u2' }, headers)).statusCode).toBe(422);
  });

  it('have settings, which nobody changes who has seen others', async () => {
    const { id } = (await sandbox()).sandbox;
    const url = `/v1/sandboxes/${id}`;
    const patch = async (payload: object, headers: Record<string, string> = {}) =>
      await app.inject({ method: 'PATCH', url, headers: { ...ADMIN, ...headers }, payload });
    expect(SandboxView.parse((await get(url)).json())).toMatchObject({
      restartPolicy: 'on-failure',
      idleStopSeconds: null,
    });
    const seen = String((await get(url)).headers['etag']);
    const changed = await patch({ idleStopSeconds: 60 }, { 'if-match': seen });
    expect(changed.json()).toMatchObject({ restartPolicy: 'on-failure', idleStopSeconds: 60 });
    expect(changed.headers['etag']).not.toBe(seen);
    for (const tag of [seen, '"0"', 'W/"2"', 'nonsense']) {
      const refused = await patch({ idleStopSeconds: 70 }, { 'if-match': tag });
      expect([refused.statusCode, refused.json<{ code: string }>().code]).toEqual([
        412,
        'precondition_failed',
      ]);
    }
    for (const headers of [{}, { 'if-match': '*' }, { 'if-match': String(changed.headers['etag']) }]) {
      expect((await patch({ idleStopSeconds: 60 }, headers)).statusCode).toBe(200);
    }
    const asking = { healthCheck: { http: { port: 80 } } };
    expect((await patch(asking)).json()).toMatchObject({
      healthCheck: { command: null, http: { port: 80, path: '/' }, intervalSeconds: 30, failuresMax: 3 },
      health: { status: 'none', since: null },
    });
    const tag = String((await get(url)).headers['etag']);
    expect((await patch(asking, { 'if-match': tag })).headers['etag']).toBe(tag);
    for (const healthCheck of [
      {},
      { command: ['a'], http: { port: 80 } },
      { http: { port: 80, path: '//x y' } },
    ]) {
      expect((await patch({ healthCheck })).statusCode).toBe(400);
    }
    for (const bad of [{ idleStopSeconds: 0 }, { restartPolicy: 'sometimes' }, { image: 'x' }]) {
      expect((await patch(bad)).statusCode).toBe(400);
    }
  });

  it('are found again only with the settings that were asked for', async () => {
    const wanted = { owner: 'u1', restartPolicy: 'always', idleStopSeconds: 5 };
    const made = await post('/v1/sandboxes', wanted);
    expect(made.json()).toMatchObject({ sandbox: { restartPolicy: 'always', idleStopSeconds: 5 } });
    expect((await post('/v1/sandboxes', wanted)).statusCode).toBe(202);
    expect((await post('/v1/sandboxes', { owner: 'u1' })).statusCode).toBe(202);
    expect((await post('/v1/sandboxes', { ...wanted, idleStopSeconds: 6 })).statusCode).toBe(409);
  });

  it('are not made while no host is live', async () => {
    world.hosts.live = false;
    const response = await post('/v1/sandboxes', { owner: 'u1' });
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ dependency: 'host' });
    expect(world.sandboxes.rows.size).toBe(0);
  });

  it('are listed in pages', async () => {
    for (const name of ['a', 'b', 'c']) await sandbox('u1', name);
    await sandbox('u2', 'd');
    const first = SandboxPage.parse((await get('/v1/sandboxes?owner=u1&limit=2')).json());
    const second = SandboxPage.parse(
      (await get(`/v1/sandboxes?owner=u1&limit=2&cursor=${first.nextCursor}`)).json(),
    );
    const names = [...first.items, ...second.items].map(({ name }) => name);
    expect(names.toSorted()).toEqual(['a', 'b', 'c']);
    expect(second.nextCursor).toBeNull();
  });

  it('start again for an exec when they do not run', async () => {
    const { sandbox: made, operation } = await sandbox();
    await world.operations.move(operationId(operation?.id ?? ''), ['pending'], 'succeeded');
    world.sandboxes.change(sandboxId(made.id), { observedState: 'stopped' });
    await exec(made.id);
    expect(world.workflows.startedOperations.size).toBe(2);
    world.sandboxes.change(sandboxId(made.id), { observedState: 'running' });
    await exec(made.id);
    expect(world.workflows.startedOperations.size).toBe(2);
  });

  it('show their execs, and execs are found by owner and state', async () => {
    const { sandbox: made } = await sandbox();
    const { sandbox: other } = await sandbox('u2');
    const mine = await exec(made.id);
    await exec(other.id);
    const listed = ExecPage.parse((await get(`/v1/sandboxes/${made.id}/execs`)).json());
    expect(listed.items.map(({ id }) => id)).toEqual([mine.id]);
    await world.end(execId(mine.id));
    const ended = ExecPage.parse((await get('/v1/execs?owner=u1&state=succeeded')).json());
    expect(ended.items.map(({ id }) => id)).toEqual([mine.id]);
    expect((await get('/v1/execs?sandboxId=nonsense')).json()).toEqual({ items: [], nextCursor: null });
  });

  it('let a request wait for the end of an exec, by query and by preference', async () => {
    const { id } = await exec((await sandbox()).sandbox.id);
    const waiting = get(`/v1/execs/${id}?wait=30`);
    const preferring = app.inject({
      url: `/v1/execs/${id}`,
      headers: { ...ADMIN, prefer: 'respond-async, wait=30' },
    });
    await world.run(execId(id));
    await world.end(execId(id), { state: 'failed', exitCode: 7 });
    for (const answer of [await waiting, await preferring]) {
      expect(answer.json()).toMatchObject({ state: 'failed', exitCode: 7, actions: ['read_output'] });
    }
    expect((await get(`/v1/execs/${id}?wait=0`)).statusCode).toBe(200);
  });

  it('answer a waiting request with what there is when the API stops', async () => {
    const { id } = await exec((await sandbox()).sandbox.id);
    const waiting = get(`/v1/execs/${id}?wait=60`);
    while (world.wakes.topicCount === 0) await new Promise((resolve) => setImmediate(resolve));
    await app.close();
    expect((await waiting).json()).toMatchObject({ state: 'queued' });
  });

  it('cancel an exec once, however often it is asked', async () => {
    const { id } = await exec((await sandbox()).sandbox.id);
    const response = await post(`/v1/execs/${id}/cancel`);
    expect(response.statusCode).toBe(202);
    expect(ExecView.parse(response.json()).cancelRequestedAt).not.toBeNull();
    expect((await post(`/v1/execs/${id}/cancel`)).statusCode).toBe(202);
    expect(world.workflows.signals).toContain(`cancel ${id}`);
    await world.end(execId(id), { state: 'canceled', exitCode: null });
    expect((await post(`/v1/execs/${id}/cancel`)).statusCode).toBe(200);
  });

  it('do not cancel what has ended otherwise', async () => {
    const { id } = await exec((await sandbox()).sandbox.id);
    await world.end(execId(id));
    const response = await post(`/v1/execs/${id}/cancel`);
    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ code: 'invalid_state', state: 'succeeded' });
  });

  it('take a decision only for the park that it names', async () => {
    const { operation } = await sandbox();
    const id = operationId(operation?.id ?? '');
    const decision = { step: 'create_container', parkNo: 2 };
    expect((await post(`/v1/operations/${id}/retry`, decision)).statusCode).toBe(409);
    const failure = { code: 'image_missing' as const, message: 'The image is not there.' };
    const at = '2026-01-01T00:00:00.000Z';
    await world.operations.move(id, ['pending'], 'running');
    await world.operations.move(id, ['running'], 'parked', {
      park: { ...decision, failure, parkedAt: at, deadlineAt: at },
    });
    const shown = OperationView.parse((await get(`/v1/operations/${id}?wait=30`)).json());
    expect(shown).toMatchObject({ state: 'parked', actions: ['retry', 'abort'], park: decision });
    expect((await post(`/v1/operations/${id}/retry`, { ...decision, parkNo: 1 })).statusCode).toBe(409);
    for (const input of [{ image: '-x' }, { tier: 'huge' }, { env: 'a' }, 'image']) {
      expect((await post(`/v1/operations/${id}/retry`, { ...decision, input })).statusCode).toBe(400);
    }
    expect((await post(`/v1/operations/${id}/retry`, decision)).statusCode).toBe(202);
    const corrected = { ...decision, input: { image: 'berth/base:2' } };
    expect((await post(`/v1/operations/${id}/retry`, corrected)).statusCode).toBe(202);
    expect((await post(`/v1/operations/${id}/abort`, corrected)).statusCode).toBe(400);
    expect((await post(`/v1/operations/${id}/abort`, decision)).statusCode).toBe(202);
    expect(world.workflows.signals).toEqual([
      `retry ${id} create_container 2`,
      `retry ${id} create_container 2 {"image":"berth/base:2"}`,
      `abort ${id} create_container 2`,
    ]);
  });

  it('never show the environment of a command', async () => {
    const { id } = (await sandbox()).sandbox;
    const response = await post(`/v1/sandboxes/${id}/execs`, {
      command: 'true',
      env: { TOKEN: 'hush-hush' },
    });
    expect(response.body).not.toContain('hush-hush');
    expect((await get('/v1/execs')).body).not.toContain('hush-hush');
  });
});
