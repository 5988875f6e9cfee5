import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { runningStack } from '../stack/running-stack.js';
import {
  ensureShellLessImages,
  SHELL_LESS_IMAGE,
  SHELL_LESS_USER,
  SHELL_LESS_USER_IMAGE,
} from '../stack/images.js';
import { call, output, run, sandboxOf } from './api-client.js';

const TEST_TIMEOUT_MS = 120_000;
const owner = (): string => `images-${randomUUID().slice(0, 8)}`;

beforeAll(async () => ensureShellLessImages(runningStack().dockerHost), TEST_TIMEOUT_MS);

describe('a sandbox on an image without a shell', () => {
  it.each([
    ['that names no user', SHELL_LESS_IMAGE, '1000'],
    ['that names a user', SHELL_LESS_USER_IMAGE, SHELL_LESS_USER.split(':')[0]],
  ])(
    '%s runs a command as the right user',
    async (_name, image, uid) => {
      const sandbox = await sandboxOf(owner(), image);
      const exec = await run(sandbox, { argv: ['/probe', 'id'] });
      expect(exec).toMatchObject({ state: 'succeeded', exitCode: 0 });
      expect((await output(exec.id)).toString()).toContain(uid);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'says of a command line that there is no shell, and that it was not started',
    async () => {
      const sandbox = await sandboxOf(owner(), SHELL_LESS_IMAGE);
      const exec = await run(sandbox, { command: 'echo hello' });
      expect(exec).toMatchObject({ state: 'not_started', exitCode: null });
      expect(JSON.stringify(exec['failure'])).toContain('sh');
    },
    TEST_TIMEOUT_MS,
  );
});

describe('a sandbox on the base image', () => {
  it(
    'runs commands without root, without capabilities, and cannot read the spool',
    async () => {
      const sandbox = await sandboxOf(owner());
      const look = await run(sandbox, {
        command:
          'id -u; grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status; ls /berth/spool; cat /proc/1/environ',
      });
      const [uid, ...rest] = (await output(look.id)).toString().trim().split('\n');
      expect(uid).toBe('1000');
      expect(rest.join('\n')).toMatch(/CapEff:\s+0+\n/);
      expect(rest.join('\n')).toMatch(/NoNewPrivs:\s+1/);
      expect((await output(look.id, 'stderr')).toString()).toMatch(/spool.*Permission denied/);
    },
    TEST_TIMEOUT_MS,
  );
});

describe('a sandbox on an image that is not there', () => {
  it(
    'parks its start with the reason, and ends it on abort',
    async () => {
      const { body } = await call('POST', '/v1/sandboxes?wait=45', {
        body: { owner: owner(), image: 'berth-test/no-such-image:1' },
      });
      const { id } = body['operation'] as { id: string };
      const operation = await untilState(id, 'parked');
      expect(operation).toMatchObject({
        state: 'parked',
        park: { step: 'prepare_storage', failure: { code: 'image_missing' } },
      });
      const aborted = await call('POST', `/v1/operations/${id}/abort`, {
        body: { step: 'prepare_storage', parkNo: 1 },
      });
      expect(aborted.status).toBe(202);
      await untilState(id, 'canceled');
    },
    TEST_TIMEOUT_MS,
  );
});

async function untilState(id: string, state: string): Promise<Record<string, unknown>> {
  const giveUpAt = Date.now() + 60_000;
  for (;;) {
    const { body } = await call('GET', `/v1/operations/${id}`);
    if (body['state'] === state) return body;
    if (Date.now() > giveUpAt) throw new Error(`The operation is not ${state}: ${JSON.stringify(body)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
