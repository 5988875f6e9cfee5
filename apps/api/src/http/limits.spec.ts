import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ADMIN, startTestApp } from '../../../../test/fakes/api-app.js';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';

const manyLabels = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`label-${n}`, 'x']));

describe('bad input', () => {
  let world: MemoryWorld;
  let app: NestFastifyApplication;

  beforeAll(async () => {
    world = new MemoryWorld();
    app = await startTestApp(world);
    await app.listen(0, '127.0.0.1');
  });
  afterAll(async () => await app.close());

  async function post(payload: string | object, contentType = 'application/json') {
    return await app.inject({
      method: 'POST',
      url: '/api/super/users/u1/exec',
      headers: { ...ADMIN, 'content-type': contentType },
      payload,
    });
  }

  it.each<[string, string | object, string]>([
    ['no command', {}, '/command'],
    ['both', { command: 'a', argv: ['a'] }, '/command'],
    ['an unknown key', { command: 'a', privileged: true }, '/privileged'],
    ['a wrong type', { command: 7 }, '/command'],
    ['an empty argv', { argv: [] }, '/argv'],
    ['an argv without a program', { argv: [''] }, '/argv'],
    ['a NUL byte', { argv: ['a', 'b\0c'] }, '/argv/1'],
    ['too many arguments', { argv: Array.from({ length: 10_000 }, () => 'a') }, '/argv'],
    ['a long command', { command: 'x'.repeat(200_000) }, '/command'],
    ['a bad variable name', { command: 'a', env: { 'A=B': '1' } }, '/env/A=B'],
    ['a relative directory', { command: 'a', workingDirectory: 'tmp' }, '/workingDirectory'],
    ['a timeout of zero', { command: 'a', timeoutSeconds: 0 }, '/timeoutSeconds'],
    ['an endless timeout', '{"command":"a","timeoutSeconds":1e309}', '/timeoutSeconds'],
    ['too many labels', { command: 'a', labels: manyLabels(21) }, '/labels'],
    ['a long label', { command: 'a', labels: { k: 'v'.repeat(256) } }, '/labels/k'],
    ['a label with a bad name', { command: 'a', labels: { 'a b': '1' } }, '/labels/a b'],
    ['a user with a colon too many', { command: 'a', user: 'a:b:c' }, '/user'],
    ['stdin of no kind', { command: 'a', stdin: { kind: 'file' } }, '/stdin/kind'],
    ['stdin that is no base64', { command: 'a', stdin: { kind: 'inline', base64: '?' } }, '/stdin/base64'],
    [
      'a large stdin',
      { command: 'a', stdin: { kind: 'inline', base64: 'A'.repeat(349_532) } },
      '/stdin/base64',
    ],
    [
      'a terminal with stdin',
      { command: 'a', tty: { columns: 1, rows: 1 }, stdin: { kind: 'none' } },
      '/stdin',
    ],
    ['a terminal without rows', { command: 'a', tty: { columns: 80 } }, '/tty/rows'],
    ['half a column', { command: 'a', tty: { columns: 0.5, rows: 1 } }, '/tty/columns'],
    ['an unknown wish', { command: 'a', ifStopped: 'restart' }, '/ifStopped'],
    ['a prototype key', '{"command":"a","__proto__":{"x":1}}', '/__proto__'],
    ['a nested prototype key', '{"command":"a","env":{"__proto__":"1"}}', '/env/__proto__'],
    ['a key twice', '{"command":"a","command":"b"}', '/command'],
    ['a key twice in two spellings', '{"command":"a","comm\\u0061nd":"b"}', '/command'],
    ['a nested key twice', '{"command":"a","env":{"A":"1","B":"2","A":"3"}}', '/env/A'],
    ['an array', '[]', ''],
    ['null', 'null', ''],
    ['no JSON', '{"command":', ''],
    ['nothing', '', ''],
    ['bytes that are no text', Buffer.from([0x22, 0xff, 0x22]) as unknown as string, ''],
    ['a deep nest', '['.repeat(100_000), ''],
  ])('is 400 with a pointer: %s', async (_what, payload, pointer) => {
    const response = await post(payload);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ code: 'bad_request', pointer });
    expect(response.json<{ errors: unknown[] }>().errors.length).toBeGreaterThan(0);
  });

  it('is 413 beyond a megabyte and 415 for another content type', async () => {
    expect((await post(`{"command":"${'x'.repeat(1_100_000)}"}`)).json()).toMatchObject({
      code: 'payload_too_large',
    });
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]) {
      const response = await post('command=a', type);
      expect(response.statusCode).toBe(415);
      expect(response.json()).toMatchObject({ code: 'unsupported_media_type' });
    }
  });

  it.each([
    ['/v1/execs?limit=0', '/limit'],
    ['/v1/execs?limit=201', '/limit'],
    ['/v1/execs?limit=1e9', '/limit'],
    ['/v1/execs?nonsense=1', '/nonsense'],
    ['/v1/execs?state=sleeping', '/state/0'],
    ['/v1/execs?state=failed&state=sleeping', '/state/1'],
    ['/v1/execs?label=x', '/label/0'],
    ['/v1/execs?label=a=1&label=a=2', '/label'],
    [`/v1/execs?${'label=a=1&'.repeat(21)}`, '/label'],
    ['/v1/execs?createdAfter=yesterday', '/createdAfter'],
    ['/v1/execs?createdBefore=2026-01-01', '/createdBefore'],
    ['/v1/execs?cursor=nonsense', '/cursor'],
    ['/v1/execs?owner=..%2f..%2fetc', '/owner'],
    ['/v1/execs?__proto__=1', '/__proto__'],
    ['/v1/execs/x?wait=61', '/wait'],
    ['/v1/execs/x?wait=-1', '/wait'],
  ])('is 400 with a pointer: %s', async (url, pointer) => {
    const response = await app.inject({ url, headers: ADMIN });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ code: 'bad_request', pointer });
  });

  it.each([
    '/nothing',
    '/v1/execs/',
    '/v1/execs/not-an-id',
    '/v1/execs/%2e%2e',
    '/v1/sandboxes/A0',
    '//',
    '/v1//execs',
  ])('is 404 at %s', async (url) => {
    const response = await app.inject({ url, headers: ADMIN });
    expect(response.statusCode).toBe(404);
    expect(response.json()).toMatchObject({ code: 'not_found' });
  });

  it('is a problem for a malformed address and for one that is too long', async () => {
    for (const url of ['/v1/execs/%ff%fe', '/v1/execs/%zz', `/v1/execs/${'x'.repeat(5_000)}`]) {
      const response = await app.inject({ url, headers: ADMIN });
      expect([400, 404]).toContain(response.statusCode);
      expect(response.headers['content-type']).toContain('application/problem+json');
    }
  });

  it('is 405 with the methods that work', async () => {
    const response = await app.inject({ method: 'DELETE', url: '/v1/execs', headers: ADMIN });
    expect(response.statusCode).toBe(405);
    expect(response.headers['allow']).toBe('GET');
    expect(response.json()).toMatchObject({ code: 'method_not_allowed' });
  });

  it('is 400 for an Idempotency-Key that is no key', async () => {
    for (const key of ['', 'with space', 'x'.repeat(201), 'é']) {
      const response = await app.inject({
        method: 'POST',
        url: '/api/super/users/u1/exec',
        headers: { ...ADMIN, 'idempotency-key': key },
        payload: { command: 'true' },
      });
      expect(response.statusCode).toBe(400);
    }
  });

  it('gives a safe request id back and replaces one that is not', async () => {
    const given = await app.inject({ url: '/health/live', headers: { 'x-request-id': 'abc-1.2_3' } });
    expect(given.headers['x-request-id']).toBe('abc-1.2_3');
    for (const bad of ['a b', 'x'.repeat(65), '<script>', '']) {
      const response = await app.inject({ url: '/health/live', headers: { 'x-request-id': bad } });
      expect(response.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it.each([
    ['no HTTP', 'NONSENSE\r\n\r\n'],
    ['headers without an end', `GET /health HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`],
    [
      'two lengths',
      'POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
  ])('is 400 for what is %s', async (_what, bytes) => {
    const { port } = app.getHttpServer().address() as AddressInfo;
    const socket = connect(port, '127.0.0.1').end(bytes);
    let answer = '';
    for await (const chunk of socket) answer += (chunk as Buffer).toString();
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('application/problem+json');
  });

  it('has created nothing', () => {
    expect(world.sandboxes.rows.size + world.execs.rows.size).toBe(0);
  });
});
