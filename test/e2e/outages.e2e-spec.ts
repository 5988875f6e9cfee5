import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { call, ended, insist, run, sandboxOf, startExec, type ExecBody } from './api-client.js';
import { freeze, healthOf, thaw, untilHealthy } from './outage.js';

const TEST_TIMEOUT_MS = 120_000;
const ANSWER_WITHIN_MS = 20_000;

let sandbox: string;

beforeAll(async () => {
  sandbox = await sandboxOf(`outages-${randomUUID().slice(0, 8)}`);
}, TEST_TIMEOUT_MS);

afterEach(() => thaw());

describe('while Temporal hangs', () => {
  it(
    'an exec is refused with 503, is not started, and work goes on afterwards',
    async () => {
      freeze('temporal');
      // In its first moments an exec is still taken on, because the host hears of it while Temporal is asked.
      expect(await healthOf('temporal')).toBe('down');
      const before = Date.now();
      const refused = await call('POST', `/v1/sandboxes/${sandbox}/execs`, { body: { command: 'true' } });
      expect(Date.now() - before).toBeLessThan(ANSWER_WITHIN_MS);
      expect(refused).toMatchObject({
        status: 503,
        body: { code: 'dependency_unavailable', dependency: 'temporal' },
      });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);

      thaw();
      await untilHealthy('temporal');
      const { body } = await call<{ items: ExecBody[] }>('GET', `/v1/sandboxes/${sandbox}/execs`);
      expect(body.items.map((exec) => exec.state)).toEqual(['not_started']);
      expect(await run(sandbox, { command: 'exit 5' })).toMatchObject({ state: 'failed', exitCode: 5 });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'a running exec goes on, is read live, and ends',
    async () => {
      const { id } = await startExec(sandbox, { command: 'echo up; sleep 3; echo down; exit 6' });
      await new Promise((resolve) => setTimeout(resolve, 500));
      freeze('temporal');
      expect(await ended(id, 30)).toMatchObject({ state: 'failed', exitCode: 6 });
      thaw();
      await untilHealthy('temporal');
    },
    TEST_TIMEOUT_MS,
  );
});

describe('while Postgres hangs', () => {
  it(
    'an exec is refused with 503, nothing is created, and work goes on afterwards',
    async () => {
      const listed = async (): Promise<number> =>
        (await insist<{ items: ExecBody[] }>('GET', `/v1/sandboxes/${sandbox}/execs`)).body.items.length;
      const countBefore = await listed();
      freeze('postgres');
      const before = Date.now();
      const refused = await call('POST', `/v1/sandboxes/${sandbox}/execs`, { body: { command: 'true' } });
      expect(Date.now() - before).toBeLessThan(ANSWER_WITHIN_MS);
      expect(refused).toMatchObject({
        status: 503,
        body: { code: 'dependency_unavailable', dependency: 'postgres' },
      });
      expect(await healthOf('postgres')).toBe('down');

      thaw();
      await untilHealthy('postgres');
      expect(await listed()).toBe(countBefore);
      expect(await run(sandbox, { command: 'exit 7' })).toMatchObject({ state: 'failed', exitCode: 7 });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'a running exec loses no byte',
    async () => {
      const { id } = await startExec(sandbox, {
        command: 'for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done',
      });
      await new Promise((resolve) => setTimeout(resolve, 700));
      freeze('postgres');
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      thaw();
      expect(await ended(id)).toMatchObject({ state: 'succeeded', exitCode: 0, stdoutBytes: 12 });
    },
    TEST_TIMEOUT_MS,
  );
});

describe('while object storage hangs', () => {
  it(
    'health says so, and execs run as ever',
    async () => {
      freeze('minio');
      expect(await run(sandbox, { command: 'exit 8' })).toMatchObject({ state: 'failed', exitCode: 8 });
      expect(await healthOf('s3')).toBe('down');
      thaw();
      await untilHealthy('s3');
    },
    TEST_TIMEOUT_MS,
  );
});
