import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { insist, sandboxOf } from './api-client.js';
import { berth } from './berth-cli.js';
import { killAndAwaitNew } from './processes.js';

const LINES = 4_000;
const BATCHES = 8;
const TEST_TIMEOUT_MS = 180_000;

const COMMAND = `
n=0
for batch in $(seq ${BATCHES}); do
  for i in $(seq ${LINES / BATCHES}); do n=$((n+1)); echo "out $n"; echo "err $n" >&2; done
  sleep 1
done
exit 42`;

const linesOf = (stream: 'out' | 'err'): string =>
  Array.from({ length: LINES }, (_, n) => `${stream} ${n + 1}\n`).join('');
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Who kills the API before the command line has spoken with it shows only that nobody is there. */
async function untilOneRuns(sandbox: string): Promise<void> {
  const path = `/v1/sandboxes/${sandbox}/execs?state=running`;
  while ((await insist<{ items: unknown[] }>('GET', path)).body.items.length === 0) await pause(100);
}

describe('berth exec', () => {
  it(
    'shows every byte once and exits as the command did, while the API is killed with -9',
    async () => {
      const sandbox = await sandboxOf(`cli-${randomUUID().slice(0, 8)}`);
      const run = berth('exec', '--sandbox', sandbox, '-c', COMMAND);
      await untilOneRuns(sandbox);
      for (let kill = 0; kill < 3; kill += 1) {
        await pause(1_500);
        await killAndAwaitNew('api');
      }
      const { stdout, stderr, exitCode } = await run;
      expect(stdout.toString()).toBe(linesOf('out'));
      // What it says about itself is on stderr, too.
      const ofTheCommand = stderr
        .toString()
        .split('\n')
        .filter((line) => line.startsWith('err '));
      expect(`${ofTheCommand.join('\n')}\n`).toBe(linesOf('err'));
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
