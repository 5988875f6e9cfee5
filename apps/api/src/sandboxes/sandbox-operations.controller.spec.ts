import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { operationId, sandboxId, type SandboxId, type SandboxObservedState } from '#domain';
import { ADMIN, startTestApp } from '../../../../test/fakes/api-app.js';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';
import { SandboxWithOperation } from './sandbox.view.js';

let world: MemoryWorld;
let app: NestFastifyApplication;
let id: SandboxId;

beforeEach(async () => {
  world = new MemoryWorld();
  app = await startTestApp(world);
  const made = await send('POST', '/v1/sandboxes', { owner: 'u1' });
  const { sandbox, operation } = SandboxWithOperation.parse(made.json());
  id = sandboxId(sandbox.id);
  await world.operations.move(operationId(String(operation?.id)), ['pending'], 'succeeded');
  is('running');
});
afterEach(async () => await app.close());

const is = (observedState: SandboxObservedState) => world.sandboxes.change(id, { observedState });
const send = async (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object, headers = {}) =>
  await app.inject({
    method,
    url,
    headers: { ...ADMIN, ...headers },
    ...(payload === undefined ? {} : { payload }),
  });
const at = (action: string): string => `/v1/sandboxes/${id}${action}`;

describe('an operation on a sandbox', () => {
  it.each([
    ['POST', '/stop', 'stop', 'stopped'],
    ['POST', '/restart', 'restart', 'running'],
    ['DELETE', '', 'delete', 'deleted'],
  ] as const)('%s %s is a run with an address', async (method, path, kind, desiredState) => {
    const response = await send(method, at(path));
    expect(response.statusCode).toBe(202);
    const { sandbox, operation } = SandboxWithOperation.parse(response.json());
    expect(operation).toMatchObject({ kind, state: 'pending', options: {} });
    expect(sandbox.desiredState).toBe(desiredState);
    expect(response.headers['location']).toBe(`/v1/operations/${operation?.id}`);
    expect(world.workflows.startedOperations.has(operationId(String(operation?.id)))).toBe(true);
  });

  it('is the running one when it is asked for again, and 409 naming that one when it is another', async () => {
    const first = await send('POST', at('/restart'));
    const again = await send('POST', at('/restart'));
    expect([again.statusCode, again.json()]).toEqual([202, first.json()]);
    for (const [method, path] of [
      ['POST', '/stop'],
      ['DELETE', ''],
    ] as const) {
      const refused = await send(method, at(path));
      expect(refused.statusCode).toBe(409);
      expect(refused.json()).toMatchObject({
        code: 'operation_in_progress',
        operationId: first.json().operation.id,
        kind: 'restart',
      });
    }
  });

  it('is 200 without a run where it is so already', async () => {
    expect((await send('POST', at('/start'))).statusCode).toBe(200);
    is('stopped');
    const response = await send('POST', at('/stop'));
    expect([response.statusCode, response.json().operation]).toEqual([200, null]);
    is('deleted');
    expect((await send('DELETE', at(''))).statusCode).toBe(200);
  });

  it('is refused where the state does not allow it', async () => {
    is('degraded');
    const refused = await send('POST', at('/start'));
    expect([refused.statusCode, refused.json().code]).toEqual([409, 'invalid_state']);
    is('deleted');
    expect((await send('POST', at('/restart'))).statusCode).toBe(410);
  });

  it('says what becomes of the execs that run', async () => {
    const response = await send('POST', at('/restart'), { running: 'wait', waitSeconds: 60 });
    expect(response.json().operation.options).toEqual({ running: 'wait', waitSeconds: 60 });
    for (const bad of [
      { running: 'kill' },
      { waitSeconds: 60 },
      { running: 'wait', waitSeconds: 0 },
      { x: 1 },
    ]) {
      expect((await send('POST', at('/stop'), bad)).statusCode).toBe(400);
    }
  });

  it('is made once under one Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'k1' };
    const first = await send('POST', at('/stop'), undefined, headers);
    await world.operations.move(operationId(first.json().operation.id), ['pending'], 'succeeded');
    const again = await send('POST', at('/stop'), undefined, headers);
    expect(again.json().operation).toMatchObject({ id: first.json().operation.id, state: 'succeeded' });
    expect((await send('POST', at('/stop'), { running: 'wait' }, headers)).statusCode).toBe(422);
  });

  it('may take a parked run over, when it ends the sandbox', async () => {
    const { operation } = (await send('POST', at('/restart'))).json();
    const failure = { code: 'container_failed', message: 'No.' } as const;
    const park = { step: 'start_container', parkNo: 2, failure, parkedAt: 'x', deadlineAt: 'y' };
    await world.operations.move(operationId(operation.id), ['pending'], 'parked', { park, failure });
    const shown = (await send('GET', `/v1/operations/${operation.id}`)).json();
    expect(shown.park).toMatchObject({
      check: expect.stringContaining('engine'),
      retry: { cli: `berth op retry ${operation.id}` },
      abort: { temporal: expect.stringContaining('"parkNo":2') },
    });
    const response = await send('DELETE', at(''));
    expect(response.statusCode).toBe(202);
    expect((await send('GET', `/v1/operations/${operation.id}`)).json()).toMatchObject({ state: 'canceled' });
  });

  it('whose run cannot be started leaves the sandbox as it was', async () => {
    world.workflows.losesNextAnswer = 'lost';
    expect((await send('POST', at('/stop'))).statusCode).toBe(503);
    expect(world.sandboxes.rows.get(id)).toMatchObject({ desiredState: 'running', observedState: 'running' });
    expect((await send('POST', at('/execs'), { command: 'true' })).statusCode).toBe(202);
  });

  it('that ends it keeps execs out, with the name of the run', async () => {
    const { operation } = (await send('POST', at('/stop'))).json();
    const refused = await send('POST', at('/execs'), { command: 'true' });
    expect([refused.statusCode, refused.json().operationId]).toEqual([409, operation.id]);
    const byOwner = await send('POST', '/api/super/users/u1/exec', { command: 'true' });
    expect(byOwner.statusCode).toBe(409);
  });

  it('that restarts it lets execs wait', async () => {
    await send('POST', at('/restart'));
    is('stopping');
    expect((await send('POST', at('/execs'), { command: 'true' })).json().state).toBe('queued');
  });

  it("is asked for under the predecessor's address by the name of the user", async () => {
    const response = await send('POST', '/api/super/users/u1/restart-async');
    expect(response.statusCode).toBe(202);
    const { operationId: run, pollUrl, sandboxId: of } = response.json();
    expect([of, pollUrl]).toEqual([id, `/v1/operations/${run}`]);
    expect((await send('GET', pollUrl)).json()).toMatchObject({ kind: 'restart', id: run });
    expect((await send('POST', '/api/super/users/u2/restart-async')).statusCode).toBe(404);
  });
});
