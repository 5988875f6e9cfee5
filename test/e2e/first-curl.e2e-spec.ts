import { describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { runningStack } from '../stack/running-stack.js';
import { untilHealthy } from './outage.js';
import { call, ended, insist, output, sandboxOf, startExec, type ExecBody } from './api-client.js';

const owner = (): string => `u-${randomUUID().slice(0, 8)}`;

describe('the two curls of the predecessor', () => {
  it('start a command and read its result', async () => {
    const user = owner();
    const posted = await call('POST', `/api/super/users/${user}/exec`, { body: { command: 'echo hello' } });
    expect(posted.status).toBe(202);
    expect(posted.body).toMatchObject({ execId: expect.any(String), status: expect.any(String) });
    const pollUrl = String(posted.body['pollUrl']);
    expect(posted.headers.get('location')).toContain(pollUrl);
    expect(pollUrl).toBe(`/api/super/users/${user}/exec/${String(posted.body['execId'])}/status`);

    await ended(String(posted.body['execId']));
    const status = await call('GET', pollUrl);
    expect(status.status).toBe(200);
    expect(status.body).toMatchObject({
      status: 'succeeded',
      exitCode: 0,
      stdout: 'hello\n',
      truncated: false,
    });
  }, 90_000);

  it('give the sandbox `default` of the owner, one for any number of simultaneous first commands', async () => {
    const user = owner();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        call('POST', `/api/super/users/${user}/exec`, { body: { command: 'true' } }),
      ),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 10 }, () => 202));
    const states = await Promise.all(
      answers.map(async ({ body }) => (await ended(String(body['execId']))).state),
    );
    expect(new Set(states)).toEqual(new Set(['succeeded']));
    const { body } = await call<{ items: unknown[] }>('GET', `/v1/sandboxes?owner=${user}`);
    expect(body.items).toHaveLength(1);
  }, 90_000);

  it('cut off what is longer than 64 KiB and say where all of it is', async () => {
    const user = owner();
    const posted = await call('POST', `/api/super/users/${user}/exec`, {
      body: { command: 'head -c 100000 /dev/zero | tr "\\0" x' },
    });
    await ended(String(posted.body['execId']));
    const { body } = await call('GET', String(posted.body['pollUrl']));
    expect(body).toMatchObject({ truncated: true });
    expect(String(body['stdout'])).toHaveLength(65_536);
    const all = await fetch(new URL(String(body['outputUrl']), runningStack().apiUrl), {
      headers: { 'x-admin-secret': (await import('../stack/running-stack.js')).stackSecrets().adminSecret },
    });
    expect(await all.text()).toBe('x'.repeat(100_000));
  }, 90_000);

  it.each([{}, { 'x-admin-secret': 'wrong' }])(
    'are refused with 401 and create nothing given %p',
    async (headers) => {
      const user = owner();
      const response = await fetch(new URL(`/api/super/users/${user}/exec`, runningStack().apiUrl), {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ command: 'true' }),
      });
      expect(response.status).toBe(401);
      expect(response.headers.get('content-type')).toContain('application/problem+json');
      expect(await response.json()).toMatchObject({ code: 'unauthenticated', status: 401 });
      const { body } = await call<{ items: unknown[] }>('GET', `/v1/sandboxes?owner=${user}`);
      expect(body.items).toEqual([]);
    },
  );

  it('do not show the exec of another user', async () => {
    const posted = await call('POST', `/api/super/users/${owner()}/exec`, { body: { command: 'true' } });
    const foreign = `/api/super/users/${owner()}/exec/${String(posted.body['execId'])}/status`;
    expect((await call('GET', foreign)).status).toBe(404);
  });
});

describe('health', () => {
  it('answers without a secret and names each dependency', async () => {
    const response = await fetch(new URL('/health', runningStack().apiUrl));
    expect(response.status).toBe(200);
    const { dependencies } = (await response.json()) as { dependencies: Record<string, { state: string }> };
    for (const name of ['postgres', 'temporal', 's3', 'docker']) {
      expect(dependencies[name]).toMatchObject({ state: expect.any(String) });
      await untilHealthy(name);
    }
  });
});

describe('an Idempotency-Key', () => {
  it('makes a hundred simultaneous requests one run', async () => {
    const sandbox = await sandboxOf(owner());
    const headers = { 'idempotency-key': randomUUID() };
    const request = { command: 'echo once >> /workspace/once; wc -l < /workspace/once' };
    const execs = await Promise.all(Array.from({ length: 100 }, () => startExec(sandbox, request, headers)));
    expect(new Set(execs.map((exec) => exec.id)).size).toBe(1);
    const [{ id }] = execs as [ExecBody];
    await ended(id);
    expect((await output(id)).toString().trim()).toBe('1');
    const again = await insist('POST', `/v1/sandboxes/${sandbox}/execs`, { body: request, headers });
    expect(again).toMatchObject({ status: 202, body: { id } });
    const other = await insist('POST', `/v1/sandboxes/${sandbox}/execs`, {
      body: { command: 'true' },
      headers,
    });
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  }, 90_000);
});
