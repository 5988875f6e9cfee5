import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { call, ended, followOutput, output, run, sandboxOf, startExec, type ExecBody } from './api-client.js';
import { killAndAwaitNew } from './processes.js';
import { subscribeSocket } from './socket-reader.js';
import { pause } from './until.js';

const LINES = 20_000;
const BATCHES = 20;
const TEST_TIMEOUT_MS = 300_000;

/** Prints LINES numbered lines on each stream over BATCHES seconds, and notes in a file that it was started. */
const COMMAND = `
echo started >> /workspace/starts
n=0
for batch in $(seq ${BATCHES}); do
  for i in $(seq ${LINES / BATCHES}); do n=$((n+1)); echo "out $n"; echo "err $n" >&2; done
  sleep 1
done
exit 7`;

const source = (stream: 'out' | 'err'): Buffer =>
  Buffer.from(Array.from({ length: LINES }, (_, n) => `${stream} ${n + 1}\n`).join(''));
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('the founding promise', () => {
  it(
    'a command runs once and every byte of it is read, while everything around it is killed with -9',
    async () => {
      const sandbox = await sandboxOf('founding');
      await run(sandbox, { command: 'rm -f /workspace/starts' });
      const { id } = await startExec(sandbox, { command: COMMAND });
      const { recording: socket } = await subscribeSocket(id, 200);
      const http = followOutput(id, 'stdout', 200);

      for (const victims of [['api'], ['worker'], ['api', 'worker'], ['temporal'], ['postgres']] as const) {
        await pause(2_000);
        await Promise.all(victims.map(async (name) => killAndAwaitNew(name)));
      }

      const recording = await socket;
      expect(sha256(recording.stdout)).toBe(sha256(source('out')));
      expect(sha256(recording.stderr)).toBe(sha256(source('err')));
      expect(recording.connections).toBeGreaterThan(1);
      expect(recording.ends).toBe(1);
      expect(sha256(await http)).toBe(sha256(source('out')));

      const exec = await ended(id);
      expect(exec).toMatchObject({ state: 'failed', exitCode: 7, signal: null });
      expect(exec.exitRecord).toMatchObject({
        stdoutSha256: sha256(source('out')),
        stderrSha256: sha256(source('err')),
      });
      expect(sha256(await output(id, 'stdout'))).toBe(sha256(source('out')));
      expect(sha256(await output(id, 'stderr'))).toBe(sha256(source('err')));

      const starts = await run(sandbox, { command: 'cat /workspace/starts' });
      expect((await output(starts.id)).toString()).toBe('started\n');
      await pause(3_000);
      const later = await call<ExecBody>('GET', `/v1/execs/${id}`);
      // Where its output lies may change; nothing else does.
      expect(later.body).toEqual({
        ...exec,
        outputState: expect.stringMatching(/^(hot|sealed)$/) as unknown,
      });
    },
    TEST_TIMEOUT_MS,
  );
});
