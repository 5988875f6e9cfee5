import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { call, ended, insist, run, sandboxOf, startExec, type ExecBody } from './api-client.js';
import { asRootInside } from './attacks/inside.js';
import { untilOutput } from './exec-waits.js';
import { freeze, thaw, untilHealthIs, untilHealthy } from './outage.js';
import { pause } from './until.js';

const TEST_TIMEOUT_MS = 180_000;
/** Longer than every deadline of one try. */
const HANG_MS = 4_000;

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
      await untilHealthIs('temporal', 'down');
      // The answer does not wait for Temporal, which hangs until it has come.
      const refused = await call('POST', `/v1/sandboxes/${sandbox}/execs`, { body: { command: 'true' } });
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
      const command = 'echo up; while [ ! -e /workspace/go ]; do sleep 0.1; done; echo down; exit 6';
      const { id } = await startExec(sandbox, { command });
      await untilOutput(id, 'up');
      freeze('temporal');
      await asRootInside(sandbox, 'touch /workspace/go');
      await untilOutput(id, 'down');
      expect(await ended(id)).toMatchObject({ state: 'failed', exitCode: 6 });
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
      const refused = await call('POST', `/v1/sandboxes/${sandbox}/execs`, { body: { command: 'true' } });
      expect(refused).toMatchObject({
        status: 503,
        body: { code: 'dependency_unavailable', dependency: 'postgres' },
      });
      await untilHealthIs('postgres', 'down');

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
      await untilOutput(id, '1\n');
      freeze('postgres');
      await pause(HANG_MS);
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
      await untilHealthIs('s3', 'down');
      thaw();
      await untilHealthy('s3');
    },
    TEST_TIMEOUT_MS,
  );
});
