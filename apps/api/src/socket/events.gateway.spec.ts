import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { bulkId, DomainError, execId, type ExecId } from '#domain';
import { WebSocket } from 'ws';
import { ADMIN, ADMIN_SECRET, startTestApp } from '../../../../test/fakes/api-app.js';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';
import { SocketClient } from '../../../../test/fakes/socket-client.js';

describe('the WebSocket', () => {
  let world: MemoryWorld;
  let app: NestFastifyApplication;
  let url: string;
  let id: ExecId;
  let sandbox: string;
  const clients: SocketClient[] = [];

  beforeEach(async () => {
    world = new MemoryWorld();
    app = await startTestApp(world);
    await app.listen(0, '127.0.0.1');
    url = `ws://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}/v1/ws`;
    const response = await app.inject({
      method: 'POST',
      url: '/api/super/users/u1/exec',
      headers: ADMIN,
      payload: { command: 'true' },
    });
    const body = response.json<{ execId: string; sandboxId: string }>();
    id = execId(body.execId);
    sandbox = body.sandboxId;
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.terminate();
    await app.close();
  });

  async function connect(headers: Record<string, string> = ADMIN): Promise<SocketClient> {
    const client = new SocketClient(new WebSocket(url, { headers }));
    clients.push(client);
    await once(client.socket, 'open');
    return client;
  }

  async function subscribed(request: object = {}): Promise<SocketClient> {
    const client = await connect();
    await client.next('hello');
    client.send({ t: 'sub', id: 's1', topic: `exec:${id}`, after: 0, ...request });
    return client;
  }

  it('sends states, then output in order, then the end', async () => {
    const client = await subscribed();
    expect(await client.next('ack')).toMatchObject({ id: 's1', position: 0, committedPosition: 0 });
    expect(await client.next('ev')).toMatchObject({ kind: 'state', state: 'queued' });
    await world.run(id);
    await world.print(id, { stream: 'stdout', data: 'hello\n' }, { stream: 'stderr', data: 'oh\n' });
    await world.end(id, { state: 'failed', exitCode: 3 });
    const end = await client.next('end');
    expect(end).toMatchObject({ id: 's1', state: 'failed', exitCode: 3, position: 24 + 6 + 24 + 3 });
    expect(
      client.output.map(({ stream, position, offset, text }) => [stream, position, offset, text]),
    ).toEqual([
      [1, 30, 0, 'hello\n'],
      [2, 57, 0, 'oh\n'],
    ]);
  });

  it('sends everything once where it moves into object storage while it is read', async () => {
    await world.run(id);
    const data = 'x'.repeat(130 * 1_024);
    for (let n = 0; n < 3; n += 1) await world.print(id, { stream: 'stdout', data });
    await world.end(id);
    world.execs.isCutAnew = true;
    const client = await subscribed();
    await client.next('end');
    expect(client.output.map(({ offset }) => offset)).toEqual([0, data.length, 2 * data.length]);
  });

  it('resumes after any frame without a gap and without a double', async () => {
    await world.run(id);
    for (let line = 0; line < 5; line += 1) {
      await world.print(
        id,
        { stream: 'stdout', data: `${line}a\n` },
        { stream: 'stderr', data: `${line}b\n` },
      );
    }
    await world.end(id);
    const whole = await subscribed();
    await whole.next('end');
    for (const { position } of whole.output) {
      const again = await subscribed({ after: position });
      await again.next('end');
      const rest = whole.output.filter((output) => output.position > position);
      expect(again.output.map(({ text }) => text)).toEqual(rest.map(({ text }) => text));
    }
    const none = await subscribed({ after: 7 });
    expect(await none.next('err')).toMatchObject({ id: 's1', code: 'position_invalid', pointer: '/after' });
  });

  it('sends text without cutting a character, also when it resumes within one', async () => {
    await world.run(id);
    const bytes = Buffer.from('aé€😀z');
    for (const byte of bytes) await world.print(id, { stream: 'stdout', data: Uint8Array.of(byte) });
    await world.end(id);
    const whole = await subscribed({ encoding: 'text' });
    await whole.next('end');
    expect(whole.text).toBe('aé€😀z');
    for (let frames = 0; frames <= bytes.byteLength; frames += 1) {
      const first = await subscribed({ encoding: 'text' });
      await first.next('end');
      const before = first.texts.filter(({ position }) => position <= frames * 25).map(({ data }) => data);
      const rest = await subscribed({ encoding: 'text', after: frames * 25 });
      await rest.next('end');
      expect(before.join('') + rest.text).toBe('aé€😀z');
    }
  });

  it('carries the states of a sandbox and of an operation', async () => {
    const client = await connect();
    const [operation] = world.operations.rows.keys();
    client.send({ t: 'sub', id: 'b', topic: `sandbox:${sandbox}` });
    expect(await client.next('ev')).toMatchObject({ id: 'b', state: 'none' });
    world.sandboxes.change(execSandbox(), { observedState: 'running' });
    world.wakes.wake(`sandbox:${sandbox}`);
    expect(await client.next('ev')).toMatchObject({ id: 'b', state: 'running', sandbox: { id: sandbox } });
    client.send({ t: 'sub', id: 'o', topic: `operation:${operation}` });
    expect(await client.next('ev')).toMatchObject({ id: 'o', state: 'pending' });
    if (operation) await world.operations.move(operation, ['pending'], 'canceled');
    world.wakes.wake(`operation:${operation}`);
    expect(await client.next('end')).toMatchObject({ id: 'o', state: 'canceled' });
  });

  it('carries the counts of a bulk operation to its end', async () => {
    const client = await connect();
    const payload = { action: 'restart', sandboxIds: [sandbox] };
    const made = await app.inject({ method: 'POST', url: '/v1/bulk-operations', headers: ADMIN, payload });
    const bulk = bulkId(made.json<{ id: string }>().id);
    client.send({ t: 'sub', id: 'm', topic: `bulk:${bulk}` });
    expect(await client.next('ev')).toMatchObject({
      id: 'm',
      state: 'pending',
      bulkOperation: { id: bulk, counts: { pending: 1 } },
    });
    await world.bulks.withdraw(bulk, { code: 'dependency_unavailable', message: 'Away.' });
    world.wakes.wake(`bulk:${bulk}`);
    expect(await client.next('end')).toMatchObject({ id: 'm', state: 'canceled' });
  });

  const execSandbox = () => [...world.sandboxes.rows.keys()][0] ?? fail();
  const fail = (): never => {
    throw new Error('There is no sandbox.');
  };

  it('goes on after the database was away', async () => {
    const client = await subscribed();
    await client.next('ev');
    world.execs.away = new DomainError('dependency_unavailable', 'Away.', { dependency: 'postgres' });
    world.wakes.wake(`exec:${id}`);
    expect(await client.next('err')).toMatchObject({ code: 'dependency_unavailable', retrying: true });
    world.execs.away = undefined;
    await world.run(id);
    await world.end(id);
    expect(await client.next('end')).toMatchObject({ state: 'succeeded' });
  });

  it('refuses a wrong secret and a foreign origin before the upgrade', async () => {
    for (const [headers, status] of [
      [{ 'x-admin-secret': 'wrong' }, 401],
      [{ ...ADMIN, origin: 'https://evil.example' }, 403],
    ] as const) {
      const socket = new WebSocket(url, { headers });
      const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }];
      expect(response.statusCode).toBe(status);
      socket.on('error', () => undefined).terminate();
    }
  });

  it('takes the secret as first message and nothing else before it', async () => {
    const late = await connect({});
    late.send({ t: 'auth', adminSecret: ADMIN_SECRET });
    expect(await late.next('hello')).toMatchObject({ protocol: 1 });
    for (const first of [
      { t: 'auth', adminSecret: 'wrong' },
      { t: 'sub', id: 's', topic: `exec:${id}` },
    ]) {
      const client = await connect({});
      client.send(first);
      expect(await client.next('err')).toMatchObject({ code: 'unauthenticated' });
      expect(await client.closed).toBe(4401);
    }
  });

  it.each(['{', '[]', 'null', '{"t":"nonsense"}', '{"t":"sub","__proto__":{}}', '['.repeat(60_000)])(
    'closes with 4400 after %.20s and lives on',
    async (text) => {
      const client = await connect();
      client.socket.send(text);
      expect(await client.next('err')).toMatchObject({ code: 'bad_request' });
      expect(await client.closed).toBe(4400);
      const next = await connect();
      next.send({ t: 'ping' });
      expect(await next.next('pong')).toBeDefined();
    },
  );

  it('names the field of a message that is wrong and stays open', async () => {
    const client = await connect();
    client.send({ t: 'sub', id: 's1', topic: 'nonsense' });
    expect(await client.next('err')).toMatchObject({ id: 's1', code: 'bad_request', pointer: '/topic' });
    client.send({ t: 'sub', id: 's1', topic: 'exec:0190b0a0-0000-7000-8000-000000000000' });
    expect(await client.next('err')).toMatchObject({ id: 's1', code: 'not_found' });
    client.send({ t: 'sub', id: 's1', topic: `exec:${id}`, after: -1 });
    expect(await client.next('err')).toMatchObject({ id: 's1', pointer: '/after' });
    client.send({ t: 'ping' });
    expect(await client.next('pong')).toBeDefined();
  });

  it('closes with 1009 after a message beyond the limit', async () => {
    const client = await connect();
    client.socket.send('x'.repeat(70_000));
    expect(await client.closed).toBe(1009);
  });

  it('has at most a hundred subscriptions and takes one back', async () => {
    const client = await connect();
    for (let n = 0; n < 101; n += 1) client.send({ t: 'sub', id: `s${n}`, topic: `exec:${id}` });
    expect(await client.next('err')).toMatchObject({ id: 's100', code: 'rate_limited' });
    client.send({ t: 'unsub', id: 's5' });
    while ((await client.next('ack'))['of'] !== 'unsub');
    client.send({ t: 'sub', id: 's100', topic: `exec:${id}` });
    expect(await client.next('ack')).toMatchObject({ id: 's100' });
  });

  it('closes with 1012 and the reason reconnect when the API stops', async () => {
    const client = await subscribed();
    await client.next('ack');
    await app.close();
    expect(await client.closed).toBe(1012);
    expect(client.closeReason).toBe('reconnect');
    expect(world.wakes.topicCount).toBe(0);
  });
});
