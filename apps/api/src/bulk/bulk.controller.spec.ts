import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { bulkId, sandboxId, type BulkItemState, type BulkState, type SandboxId } from '#domain';
import { ADMIN, startTestApp } from '../../../../test/fakes/api-app.js';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';
import { SandboxWithOperation } from '../sandboxes/sandbox.view.js';
import { BulkView } from './bulk.view.js';

let world: MemoryWorld;
let app: NestFastifyApplication;
let ids: SandboxId[];

beforeEach(async () => {
  world = new MemoryWorld();
  app = await startTestApp(world);
  ids = [];
  for (const owner of ['u1', 'u2']) {
    const made = await send('POST', '/v1/sandboxes', { owner });
    ids.push(sandboxId(SandboxWithOperation.parse(made.json()).sandbox.id));
  }
});
afterEach(async () => await app.close());

const send = async (method: 'GET' | 'POST', url: string, payload?: object, headers = {}) =>
  await app.inject({
    method,
    url,
    headers: { ...ADMIN, ...headers },
    ...(payload === undefined ? {} : { payload }),
  });

const bulks = async (payload: object, headers = {}) =>
  await send('POST', '/v1/bulk-operations', payload, headers);

async function begun(payload: object): Promise<BulkView> {
  const response = await bulks(payload);
  expect(response.statusCode).toBe(202);
  return BulkView.parse(response.json());
}

/** As its run would leave it. */
function is(id: string, state: BulkState, items: BulkItemState): void {
  const known = bulkId(id);
  const row = world.bulks.rows.get(known);
  if (!row) throw new TypeError('There is no such bulk operation.');
  world.bulks.rows.set(known, { ...row, state });
  const of = world.bulks.itemsOf.get(known) ?? [];
  world.bulks.itemsOf.set(
    known,
    of.map((item) => ({ ...item, state: items })),
  );
}

describe('a bulk operation', () => {
  it('is a row with a run and an address, once for an Idempotency-Key', async () => {
    const body = { action: 'restart', sandboxIds: ids, maxConcurrency: 2, delaySeconds: 0.5 };
    const key = { 'idempotency-key': 'k' };
    const [first, again] = [await bulks(body, key), await bulks(body, key)];
    const made = BulkView.parse(first.json());
    expect(made).toMatchObject({
      state: 'pending',
      total: 2,
      maxConcurrency: 2,
      delaySeconds: 0.5,
      owner: null,
    });
    expect(first.headers['location']).toBe(`/v1/bulk-operations/${made.id}`);
    expect([again.json().id, again.headers['idempotency-replayed']]).toEqual([made.id, 'true']);
    expect([...world.workflows.wokenBulks]).toEqual([made.id]);
    expect((await bulks({ ...body, maxConcurrency: 3 }, key)).statusCode).toBe(422);
    const listed = await send('GET', '/v1/bulk-operations?state=pending');
    expect(listed.json().items).toHaveLength(1);
  });

  it('is only shown where it is a dry run', async () => {
    const response = await bulks({ action: 'stop', selector: { owner: ['u1'] }, dryRun: true });
    expect([response.statusCode, response.json().total]).toEqual([200, 1]);
    expect(response.json().sandboxes).toMatchObject([{ id: ids[0] }]);
    expect(world.bulks.rows.size + world.workflows.wokenBulks.size).toBe(0);
  });

  it.each([
    [{ action: 'restart' }, '/sandboxIds'],
    [{ action: 'restart', selector: {} }, '/selector'],
    [{ action: 'restart', selector: { owner: [] } }, '/selector/owner'],
    [{ action: 'restart', selector: { label: {} } }, '/selector'],
    [{ action: 'nonsense', selector: { owner: ['u1'] } }, '/action'],
    [{ action: 'exec', selector: { owner: ['u1'] } }, '/exec'],
    [{ action: 'stop', selector: { owner: ['u1'] }, exec: { command: 'ls' } }, '/exec'],
    [{ action: 'start', selector: { owner: ['u1'] }, options: { running: 'wait' } }, '/options'],
    [{ action: 'stop', selector: { owner: ['u1'] }, maxConcurrency: 101 }, '/maxConcurrency'],
    [{ action: 'stop', selector: { owner: ['u1'] }, surplus: 1 }, '/surplus'],
  ])('is refused as %j', async (body, pointer) => {
    const response = await bulks(body);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      code: 'bad_request',
      errors: expect.arrayContaining([expect.objectContaining({ pointer })]),
    });
  });

  it('is refused where a sandbox is not there, or is named twice, or is given input', async () => {
    const unknown = await bulks({ action: 'stop', sandboxIds: [ids[0], 'x'] });
    expect(unknown.json()).toMatchObject({ status: 404, pointer: '/sandboxIds/1' });
    expect((await bulks({ action: 'stop', sandboxIds: [ids[0], ids[0]] })).statusCode).toBe(400);
    const exec = { command: 'cat', stdin: { kind: 'open' } };
    expect((await bulks({ action: 'exec', sandboxIds: ids, exec })).statusCode).toBe(400);
    expect(world.bulks.rows.size).toBe(0);
  });

  it('is paused, resumed and canceled, each of them once', async () => {
    const { id } = await begun({ action: 'restart', sandboxIds: ids });
    is(id, 'running', 'pending');
    const at = (what: string) => `/v1/bulk-operations/${id}/${what}`;
    for (let time = 1; time <= 2; time += 1) {
      const paused = await send('POST', at('pause'));
      expect([paused.statusCode, paused.json().pause.pauseNo]).toEqual([202, 1]);
    }
    expect((await send('POST', at('resume'), { pauseNo: 2 })).statusCode).toBe(409);
    expect((await send('POST', at('resume'), { pauseNo: 1 })).json()).toMatchObject({ state: 'running' });
    expect((await send('POST', at('cancel'))).json()).toMatchObject({
      state: 'canceling',
      counts: { canceled: 2 },
      actions: [],
    });
    expect((await send('POST', at('resume'))).json()).toMatchObject({ status: 409, code: 'invalid_state' });
  });

  it('begins anew what failed, for the round that is asked for', async () => {
    const { id, round } = await begun({ action: 'restart', sandboxIds: ids });
    is(id, 'failed', 'failed');
    const retry = async (body: object) => await send('POST', `/v1/bulk-operations/${id}/retry-failed`, body);
    const some = await retry({ round, sandboxIds: [ids[1]] });
    expect(some.json()).toMatchObject({ state: 'running', round: 2, counts: { failed: 1, pending: 1 } });
    expect((await retry({ round })).statusCode).toBe(409);
    const failed = await send('GET', `/v1/bulk-operations/${id}/items?state=failed`);
    expect(failed.json().items).toMatchObject([{ sandboxId: ids[0], number: 1 }]);
  });

  it('ends where its run could not be started, and is 503, until the same request is sent again', async () => {
    world.workflows.away = true;
    const ask = async () => await bulks({ action: 'stop', sandboxIds: ids }, { 'idempotency-key': 'once' });
    expect((await ask()).json()).toMatchObject({ status: 503, dependency: 'temporal' });
    expect([...world.bulks.rows.values()].map(({ state }) => state)).toEqual(['canceled']);
    world.workflows.away = false;
    const again = await ask();
    expect([again.statusCode, again.json().state]).toEqual([202, 'pending']);
    expect(world.bulks.rows.size).toBe(1);
  });

  it('is told what was asked of it by its row, also where its run cannot be woken', async () => {
    const { id } = await begun({ action: 'restart', sandboxIds: ids });
    is(id, 'running', 'pending');
    world.workflows.away = true;
    expect((await send('POST', `/v1/bulk-operations/${id}/pause`)).statusCode).toBe(202);
  });

  it('comes of the address of the predecessor, one user after the other', async () => {
    const response = await send('POST', '/api/super/bulk/restart', { userIds: ['u1', 'u2'], delayMs: 250 });
    expect(response.json()).toMatchObject({ status: 'pending', total: 2 });
    const { body } = await send('GET', response.json().pollUrl);
    expect(JSON.parse(body)).toMatchObject({ maxConcurrency: 1, delaySeconds: 0.25 });
  });
});
