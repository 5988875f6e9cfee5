import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ADMIN, startTestApp } from '../../../test/fakes/api-app.js';
import { MemoryWorld } from '../../../test/fakes/memory-world.js';
import { CONTROLLERS } from './app.module.js';
import { RouteTable, type Route } from './http/route-table.js';
import { RATE_POLICIES } from './rate/rate-policies.js';

const UNKNOWN = '0190b0a0-0000-7000-8000-000000000000';
const { routes } = RouteTable.of(CONTROLLERS);
const named = (some: readonly Route[]) =>
  some.map((route) => [`${route.method} ${route.path}`, route] as const);
const guarded = routes.filter(({ access }) => access !== 'anonymous');

/** Bodies that are valid where a route wants one. */
const BODIES: Readonly<Record<string, object>> = {
  'POST /v1/sandboxes': { owner: 'u1' },
  'PATCH /v1/sandboxes/:sandboxId': {},
  'POST /v1/sandboxes/:sandboxId/execs': { command: 'true' },
  'POST /v1/sandboxes/:sandboxId/restore': { snapshotId: UNKNOWN },
  'POST /v1/sandboxes/:sandboxId/change': { tier: 'small' },
  'POST /api/super/users/:userId/exec': { command: 'true' },
  'POST /v1/sandboxes/:sandboxId/git/clone': { url: 'https://git.test/a.git', path: 'a' },
  'POST /v1/sandboxes/:sandboxId/git/commit': { path: 'a', message: 'm' },
  'POST /v1/sandboxes/:sandboxId/git/push': { path: 'a' },
  'POST /v1/sandboxes/:sandboxId/git/commit-and-push': { path: 'a', message: 'm' },
  'POST /v1/sandboxes/:sandboxId/git/pull': { path: 'a' },
  'POST /v1/sandboxes/:sandboxId/git/pull-requests': { path: 'a', title: 't', base: 'main' },
  'POST /v1/sandboxes/:sandboxId/git/branches': { path: 'a', branch: 'b', create: true },
  'POST /v1/sandboxes/:sandboxId/files/uploads': { path: 'a' },
  'POST /v1/credentials': { owner: 'u1', host: 'git.test', secret: 's' },
  'POST /v1/execs/:execId/signal': { signal: 'SIGINT' },
  'POST /v1/execs/:execId/resize': { columns: 80, rows: 24 },
  'POST /v1/bulk-operations': { action: 'restart', selector: { owner: ['u1'] } },
  'POST /api/super/bulk/restart': { userIds: ['u1'] },
  'POST /v1/bulk-operations/:bulkId/retry-failed': { round: 1 },
  'POST /v1/operations/:operationId/retry': { step: 'create_container', parkNo: 1 },
  'POST /v1/operations/:operationId/abort': { step: 'create_container', parkNo: 1 },
};

/** Queries without which a route is not asked rightly. */
const QUERIES: Readonly<Record<string, string>> = {
  'PUT /v1/execs/:execId/stdin': '?offset=0',
  'GET /v1/sandboxes/:sandboxId/files': '?path=a',
  'PUT /v1/sandboxes/:sandboxId/files': '?path=a',
  'DELETE /v1/sandboxes/:sandboxId/files': '?path=a',
  'PUT /v1/sandboxes/:sandboxId/files/uploads/:uploadId': '?offset=0',
  'GET /v1/sandboxes/:sandboxId/git/status': '?path=a',
  'GET /v1/sandboxes/:sandboxId/git/diff': '?path=a',
  'GET /v1/sandboxes/:sandboxId/git/log': '?path=a',
  'GET /v1/sandboxes/:sandboxId/git/branches': '?path=a',
};

describe('every route', () => {
  let world: MemoryWorld;
  let app: NestFastifyApplication;

  beforeAll(async () => {
    world = new MemoryWorld();
    app = await startTestApp(world);
  });
  afterAll(async () => await app.close());

  async function call(route: Route, headers: Record<string, string>, payload?: string | object) {
    const query = QUERIES[`${route.method} ${route.path}`] ?? '';
    const url = route.path.replace(':userId', 'u1').replaceAll(/:[A-Za-z]+/g, UNKNOWN) + query;
    return await app.inject({
      method: route.method as 'GET',
      url,
      headers: payload === undefined ? headers : { 'content-type': 'application/json', ...headers },
      ...(payload === undefined ? {} : { payload }),
    });
  }

  it('is known to the router', () => {
    const fastify = app.getHttpAdapter().getInstance();
    for (const { method, path } of routes) {
      expect(fastify.hasRoute({ method: method as 'GET', url: path })).toBe(true);
    }
    expect(routes.length).toBe(69);
  });

  it.each(named(routes))('%s says how often it may be called, and tells its clients', async (name, route) => {
    expect(Object.keys(RATE_POLICIES)).toContain(route.rate);
    const response = await call(route, ADMIN, BODIES[name] === undefined ? undefined : '{"broken');
    const policy = String(route.rate);
    expect(response.headers['ratelimit-policy']).toMatch(new RegExp(`^"${policy}";q=\\d+;w=\\d+$`));
    expect(response.headers['ratelimit']).toMatch(new RegExp(`^"${policy}";r=\\d+;t=\\d+$`));
  });

  it('without a secret is one of the few that may be', () => {
    const anonymous = routes.filter(({ access }) => access === 'anonymous').map(({ path }) => path);
    expect(anonymous.toSorted()).toEqual(['/health', '/health/live', '/health/ready', '/openapi.json']);
  });

  it.each(named(guarded))('%s refuses a stranger before it looks at anything', async (name, route) => {
    for (const headers of [{}, { 'x-admin-secret': 'wrong' }, { 'x-admin-secret': '' }]) {
      for (const payload of [BODIES[name], '{"broken']) {
        const response = await call(route, headers as Record<string, string>, payload);
        expect(response.statusCode).toBe(401);
        expect(response.headers['content-type']).toContain('application/problem+json');
        expect(response.json()).toMatchObject({
          code: 'unauthenticated',
          requestId: response.headers['x-request-id'],
        });
      }
    }
    expect(
      world.sandboxes.rows.size + world.execs.rows.size + world.operations.rows.size + world.bulks.rows.size,
    ).toBe(0);
  });

  it.each(named(guarded.filter(({ path }) => /:(?!userId)/.test(path))))(
    '%s does not find what is not there',
    async (name, route) => {
      const response = await call(route, ADMIN, BODIES[name]);
      expect(response.statusCode).toBe(404);
      expect(response.json()).toMatchObject({ code: 'not_found' });
    },
  );

  it.each(named(routes))('%s sends its security headers', async (_name, route) => {
    const response = await call(route, {});
    expect(response.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    });
    expect(response.headers).not.toHaveProperty('access-control-allow-origin');
  });
});
