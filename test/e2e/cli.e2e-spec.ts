import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ended, insist, run, sandboxOf, type ExecBody } from './api-client.js';
import { beginBerth, berth, type BegunCli } from './berth-cli.js';
import { killAndAwaitNew } from './processes.js';
import { until } from './until.js';

const KILLS = 3;
const TEST_TIMEOUT_MS = 180_000;

/** Writes for as long as the test has not seen enough. */
const COMMAND = `
n=0
until [ -e /workspace/enough ]; do
  n=$((n+1)); echo "out $n"; echo "err $n" >&2
  sleep 0.01
done
exit 42`;

const linesOf = (stream: 'out' | 'err', count: number): string =>
  Array.from({ length: count }, (_, n) => `${stream} ${n + 1}\n`).join('');

/** Who kills the API before the command line follows the exec shows only that nobody is there. */
async function untilItShowsMore(begun: BegunCli): Promise<void> {
  const before = begun.stdoutBytes();
  await until(begun.stdoutBytes, (bytes) => bytes > before);
}

describe('berth exec', () => {
  it(
    'shows every byte once and exits as the command did, while the API is killed with -9',
    async () => {
      const sandbox = await sandboxOf(`cli-${randomUUID().slice(0, 8)}`);
      const begun = beginBerth('', 'exec', '--sandbox', sandbox, '-c', COMMAND);
      for (let kill = 0; kill < KILLS; kill += 1) {
        await untilItShowsMore(begun);
        await killAndAwaitNew('api');
      }
      await untilItShowsMore(begun);
      const { body } = await insist<{ items: ExecBody[] }>('GET', `/v1/sandboxes/${sandbox}/execs`);
      await run(sandbox, { command: 'touch /workspace/enough' });
      const { stdout, stderr, exitCode } = await begun.end;
      const lines = stdout.toString().split('\n').length - 1;
      expect(stdout.toString()).toBe(linesOf('out', lines));
      expect(body.items).toHaveLength(1);
      expect((await ended(body.items[0]?.id ?? '')).stdoutBytes).toBe(stdout.byteLength);
      // What it says about itself is on stderr, too.
      const ofTheCommand = stderr
        .toString()
        .split('\n')
        .filter((line) => line.startsWith('err '));
      expect(`${ofTheCommand.join('\n')}\n`).toBe(linesOf('err', lines));
      expect(stderr.toString()).toMatch(/reconnect/i);
      expect(exitCode).toBe(42);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'exits with 128 + n for a signal and 127 for a command that is not there',
    async () => {
      const sandbox = await sandboxOf(`cli-${randomUUID().slice(0, 8)}`);
      expect((await berth('exec', '--sandbox', sandbox, '-c', 'kill -9 $$')).exitCode).toBe(137);
      const missing = await berth('exec', '--sandbox', sandbox, '--', 'no-such-program');
      expect(missing.exitCode).toBe(127);
      expect(missing.stderr.toString()).toContain('no-such-program: no such file');
    },
    TEST_TIMEOUT_MS,
  );
});
