import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { call, ended, output, run, sandboxOf, startExec } from './api-client.js';
import { untilOutput } from './exec-waits.js';

const TEST_TIMEOUT_MS = 120_000;
/** A daemon that leaves its process group, its session and its parent, ignores TERM and holds stdout open. */
const DAEMON = `(setsid sh -c 'trap "" TERM HUP; while :; do sleep 0.3141; done' &);`;

let sandbox: string;
beforeAll(async () => {
  sandbox = await sandboxOf(`ends-${randomUUID().slice(0, 8)}`);
}, TEST_TIMEOUT_MS);

/** How many processes of a daemon are alive in the sandbox. The pattern does not match the looking processes themselves. */
async function daemonsLeft(): Promise<string> {
  const { id } = await run(sandbox, {
    command: `for p in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $p 2>/dev/null; echo; done | grep -c '0[.]3141' || true`,
  });
  return (await output(id)).toString().trim();
}

describe('the end of an exec', () => {
  it.each([
    ['exit 0', 'succeeded', 0, null],
    ['exit 42', 'failed', 42, null],
    ['kill -SEGV $$', 'failed', null, 'SIGSEGV'],
    ['no-such-program-here', 'failed', 127, null],
  ])(
    'of `%s` is %s',
    async (command, state, exitCode, signal) => {
      expect(await run(sandbox, { command })).toMatchObject({ state, exitCode, signal });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is not_started, safe to send again, when the program does not exist',
    async () => {
      const exec = await run(sandbox, { argv: ['/no/such/program'] });
      expect(exec).toMatchObject({ state: 'not_started', exitCode: null });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is neither late nor invented when a daemon holds stdout open, and the daemon is gone',
    async () => {
      // The daemon would hold it open for ever.
      const exec = await run(sandbox, { command: `${DAEMON} echo done` });
      expect(exec).toMatchObject({ state: 'succeeded', exitCode: 0 });
      expect((await output(exec.id)).toString()).toBe('done\n');
      expect(await daemonsLeft()).toBe('0');
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is timed_out after its time, with every descendant gone',
    async () => {
      const exec = await run(sandbox, {
        command: `${DAEMON} trap "" TERM; echo up; while :; do sleep 1; done`,
        timeoutSeconds: 4,
      });
      expect(exec).toMatchObject({ state: 'timed_out' });
      expect(await daemonsLeft()).toBe('0');
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is canceled on request, with every descendant gone',
    async () => {
      const { id } = await startExec(sandbox, {
        command: `${DAEMON} trap "" TERM; echo up; while :; do sleep 1; done`,
      });
      await untilOutput(id, 'up');
      expect((await call('POST', `/v1/execs/${id}/cancel`)).status).toBe(202);
      expect(await ended(id)).toMatchObject({ state: 'canceled' });
      expect(await daemonsLeft()).toBe('0');
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'cannot be changed by a cancel that comes too late',
    async () => {
      const exec = await run(sandbox, { command: 'exit 3' });
      const late = await call('POST', `/v1/execs/${exec.id}/cancel`);
      expect(late.status).toBeLessThan(500);
      expect(await ended(exec.id)).toMatchObject({ state: 'failed', exitCode: 3 });
    },
    TEST_TIMEOUT_MS,
  );
});
