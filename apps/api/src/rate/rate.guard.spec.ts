import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { WebSocket } from 'ws';
import { ADMIN, startTestApp } from '../../../../test/fakes/api-app.js';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';
import { FAILED_AUTHENTICATION_POLICY, RATE_POLICIES } from './rate-policies.js';

let app: NestFastifyApplication;

beforeEach(async () => {
  app = await startTestApp(new MemoryWorld());
});
afterEach(async () => await app.close());

const get = async (url: string, headers: Record<string, string> = {}) => await app.inject({ url, headers });

describe('a client that calls too often', () => {
  it('is told how much is left, then 429 with the time to wait', async () => {
    const { requestsMax } = RATE_POLICIES.open;
    const first = await get('/health/live');
    expect(first.headers['ratelimit']).toMatch(new RegExp(`^"open";r=${requestsMax - 1};t=`));
    for (let n = 1; n < requestsMax; n += 1) await get('/health/live');
    const refused = await get('/health/live');
    expect(refused.statusCode).toBe(429);
    expect(refused.json()).toMatchObject({ code: 'rate_limited' });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(RATE_POLICIES.open.windowSeconds);
  });

  it('may still call other routes', async () => {
    for (let n = 0; n <= RATE_POLICIES.open.requestsMax; n += 1) await get('/health/live');
    expect((await get('/openapi.json')).statusCode).toBe(200);
    expect((await get('/v1/execs', ADMIN)).statusCode).toBe(200);
  });
});

describe('an address that guesses credentials', () => {
  async function guess(): Promise<void> {
    for (let n = 0; n < FAILED_AUTHENTICATION_POLICY.requestsMax; n += 1) {
      expect((await get('/v1/execs', { 'x-admin-secret': `guess-${n}` })).statusCode).toBe(401);
    }
  }

  it('has to wait, and a right guess tells it nothing', async () => {
    await guess();
    const wrong = await get('/v1/execs', { 'x-admin-secret': 'one-more' });
    const right = await get('/v1/execs', ADMIN);
    for (const refused of [wrong, right]) {
      expect(refused.statusCode).toBe(429);
      expect(refused.json()).toMatchObject({ code: 'rate_limited' });
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    }
  });

  it('does not lock out a client behind it that had been let in before', async () => {
    expect((await get('/v1/execs', ADMIN)).statusCode).toBe(200);
    await guess();
    expect((await get('/v1/execs', { 'x-admin-secret': 'one-more' })).statusCode).toBe(429);
    expect((await get('/v1/execs', ADMIN)).statusCode).toBe(200);
  });

  it('cannot go on at the WebSocket', async () => {
    await app.listen(0, '127.0.0.1');
    await guess();
    const { port } = app.getHttpServer().address() as AddressInfo;
    const upgrade = new WebSocket(`ws://127.0.0.1:${port}/v1/ws`, { headers: { 'x-admin-secret': 'guess' } });
    const [error] = (await once(upgrade, 'error')) as [Error];
    expect(error.message).toContain('429');
    const silent = new WebSocket(`ws://127.0.0.1:${port}/v1/ws`);
    await once(silent, 'open');
    silent.send(JSON.stringify({ t: 'auth', adminSecret: 'guess' }));
    const [code] = (await once(silent, 'close')) as [number];
    expect(code).toBe(4401);
  });

  it('does not count those who send nothing', async () => {
    for (let n = 0; n < 2 * FAILED_AUTHENTICATION_POLICY.requestsMax; n += 1) {
      expect((await get('/v1/execs')).statusCode).toBe(401);
    }
    expect((await get('/v1/execs', ADMIN)).statusCode).toBe(200);
  });
});
