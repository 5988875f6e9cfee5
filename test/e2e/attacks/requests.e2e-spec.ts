import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { runningStack, stackSecrets } from '../../stack/running-stack.js';
import { call, run, sandboxOf, type ExecBody } from '../api-client.js';
import { Steadiness } from './api-process.js';
import { RawConnection } from './raw-http.js';

const TEST_TIMEOUT_MS = 180_000;
const MIB = 1_048_576;
/** Three of them are sent. */
const BOMB_BYTES = 256 * MIB;
const GIVE_UP_AFTER_MS = 60_000;

let sandbox: string;
let exec: ExecBody;

beforeAll(async () => {
  sandbox = await sandboxOf(`requests-${randomUUID().slice(0, 8)}`);
  exec = await run(sandbox, { command: 'true' });
}, TEST_TIMEOUT_MS);

const secretLine = (): string => `X-Admin-Secret: ${stackSecrets().adminSecret}\r\n`;
const head = (method: string, path: string, more = ''): string =>
  `${method} ${path} HTTP/1.1\r\nHost: berth\r\n${secretLine()}${more}`;

async function execs(): Promise<number> {
  const { body } = await call<{ items: ExecBody[] }>('GET', `/v1/sandboxes/${sandbox}/execs?limit=200`);
  return body.items.length;
}

/** One answer to bytes that are a whole request. */
async function answerTo(bytes: string | Uint8Array): Promise<string> {
  const connection = new RawConnection();
  await connection.say(bytes);
  await connection.answers(1);
  connection.close();
  return await connection.untilClosed(GIVE_UP_AFTER_MS);
}

describe('a request that is an attack', () => {
  it(
    'is refused before it is held: a header of 1 MB, a body beyond its limit with and without a length',
    async () => {
      const steady = new Steadiness('api');
      expect(await answerTo(head('GET', '/health', `X: ${'y'.repeat(MIB)}\r\n\r\n`))).toMatch(
        /^HTTP\/1\.1 4/,
      );
      const post = head('POST', `/v1/sandboxes/${sandbox}/execs`, 'Content-Type: application/json\r\n');
      expect(await answerTo(`${post}Content-Length: 99999999999\r\n\r\n{`)).toMatch(/^HTTP\/1\.1 413 /);
      const chunked = new RawConnection();
      await chunked.say(`${post}Transfer-Encoding: chunked\r\n\r\n`);
      const chunk = `10000\r\n${'x'.repeat(0x1_0000)}\r\n`;
      let sent = 0;
      for (; sent < 64 * MIB && chunked.statuses.length === 0 && chunked.isOpen; sent += 0x1_0000)
        await chunked.say(chunk);
      expect(sent).toBeLessThan(16 * MIB);
      // Who still sends when he is cut off may not hear the answer.
      expect([[], [413]]).toContainEqual(await chunked.answers(1));
      chunked.close();
      await steady.hold();
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is refused as text that is none of ours: 100,000 deep, endless numbers, a key twice, a gzip bomb',
    async () => {
      const steady = new Steadiness('api');
      const before = await execs();
      const bomb = gzipSync(Buffer.alloc(BOMB_BYTES, ' '));
      const bodies: readonly [number, string | Uint8Array, Record<string, string>][] = [
        [400, '['.repeat(100_000) + ']'.repeat(100_000), {}],
        [400, '{"a":'.repeat(50_000) + '1' + '}'.repeat(50_000), {}],
        [400, '{"command":"true","timeoutSeconds":1e309}', {}],
        [400, '{"command":"true","command":"false"}', {}],
        [400, '{"command":"true","__proto__":{"privileged":true}}', {}],
        [400, `{"command":"true","n":${'9'.repeat(500_000)}}`, {}],
        [400, bomb, {}],
        [400, bomb, { 'content-encoding': 'gzip' }],
        [415, bomb, { 'content-type': 'application/gzip' }],
      ];
      for (const [status, body, headers] of bodies) {
        const response = await fetch(new URL(`/v1/sandboxes/${sandbox}/execs`, runningStack().apiUrl), {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'x-admin-secret': stackSecrets().adminSecret,
            ...headers,
          },
          body,
        });
        expect([response.status, response.headers.get('content-type')]).toEqual([
          status,
          expect.stringContaining('application/problem+json'),
        ]);
        expect(await response.text()).not.toMatch(/\bat .*\.[jt]s:\d+|node_modules/);
      }
      expect(await execs()).toBe(before);
      await steady.hold();
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is not smuggled inside another: where lengths contradict each other nothing is done',
    async () => {
      const before = await execs();
      const inner = `${head('POST', `/v1/sandboxes/${sandbox}/execs`, 'Content-Type: application/json\r\n')}Content-Length: 18\r\n\r\n{"command":"true"}`;
      const outer = head('POST', '/v1/sandboxes', 'Content-Type: application/json\r\n');
      for (const [framing, body] of [
        ['Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${inner}`],
        ['Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', `0\r\n\r\n${inner}`],
        ['Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${inner}`],
        ['Transfer-Encoding : chunked\r\n', `0\r\n\r\n${inner}`],
        ['Content-Length: 0\r\nContent-Length: 4\r\n', inner],
        ['Content-Length: +4\r\n', inner],
        ['Transfer-Encoding: chunked\r\n', `0x0\r\n\r\n${inner}`],
        [' Content-Length: 0\r\n', inner],
        ['Content-Length: 0\n\n', inner],
      ]) {
        const connection = new RawConnection();
        await connection.say(`${outer}${framing}\r\n${body}`);
        expect((await connection.untilClosed(GIVE_UP_AFTER_MS)).match(/^HTTP\/1\.1 (?!400 )/gm)).toBeNull();
      }
      expect(await execs()).toBe(before);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'may be one of a hundred on one connection, each answered in its turn',
    async () => {
      const connection = new RawConnection();
      const requests = Array.from({ length: 100 }, (_, n) =>
        head('GET', n % 2 === 0 ? '/health/live' : `/v1/execs/${randomUUID()}`, '\r\n'),
      );
      await connection.say(requests.join(''));
      expect(await connection.answers(100)).toEqual(requests.map((_, n) => (n % 2 === 0 ? 200 : 404)));
      connection.close();
    },
    TEST_TIMEOUT_MS,
  );

  it.each([
    ['an argument of 1 MB', { argv: ['echo', 'x'.repeat(MIB - 100)] }],
    ['10,000 arguments', { argv: Array.from({ length: 10_000 }, () => 'a') }],
    ['no argument', { argv: [] }],
    ['a NUL byte', { argv: ['echo', 'a\0b'] }],
    ['arguments that are no text', { argv: ['echo', 1, null] }],
    ['a variable of 1 MB', { command: 'a', env: { A: 'x'.repeat(MIB - 100) } }],
    ['a name with =', { command: 'a', env: { 'A=B': 'x' } }],
    ['a name with a line break', { command: 'a', env: { 'A\nB': 'x' } }],
    ['a wish for privileges', { command: 'a', privileged: true }],
    ['a wish for a host', { command: 'a', hostConfig: { Binds: ['/:/host'] } }],
  ])(
    'creates nothing: %s',
    async (_what, body) => {
      const before = await execs();
      const answer = await call('POST', `/v1/sandboxes/${sandbox}/execs`, { body });
      expect(answer).toMatchObject({ status: 400, body: { code: 'bad_request' } });
      expect(await execs()).toBe(before);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'gets no more than its own page may see: no CORS, no frame, no stack, no version',
    async () => {
      for (const path of ['/health', '/openapi.json', '/nothing', `/v1/execs/${exec.id}`]) {
        const response = await fetch(new URL(path, runningStack().apiUrl), {
          headers: { origin: 'https://evil.example', 'x-admin-secret': stackSecrets().adminSecret },
        });
        expect(response.headers.get('access-control-allow-origin')).toBeNull();
        expect(response.headers.get('access-control-allow-credentials')).toBeNull();
        expect(response.headers.get('x-powered-by')).toBeNull();
        expect(response.headers.get('server')).toBeNull();
        expect(response.headers.get('x-content-type-options')).toBe('nosniff');
        expect(response.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      }
      const preflight = await fetch(new URL(`/v1/execs/${exec.id}`, runningStack().apiUrl), {
        method: 'OPTIONS',
        headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
      });
      expect([401, 404, 405]).toContain(preflight.status);
      expect(preflight.headers.get('access-control-allow-methods')).toBeNull();
    },
    TEST_TIMEOUT_MS,
  );
});
