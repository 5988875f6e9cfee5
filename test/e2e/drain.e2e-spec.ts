import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { insist, startExec } from './api-client.js';
import { awaitNew, pidOf, untilGone } from './processes.js';
import { subscribeSocket, type SocketRecording } from './socket-reader.js';
import { until } from './until.js';

const TEST_TIMEOUT_MS = 300_000;
/** Of the tier `large`, which runs so many at once. */
const EXECS = 100;
const LINES = 40;

describe('a deploy under load', () => {
  it(
    `loses no byte of ${EXECS} running execs that ${EXECS} sockets follow, and each process ends by itself`,
    async () => {
      const { body } = await insist<{ sandbox: { id: string } }>('POST', '/v1/sandboxes?wait=60', {
        body: { owner: `drain-${randomUUID().slice(0, 8)}`, tier: 'large' },
      });
      const command = `while [ ! -e go ]; do sleep 0.2; done; for i in $(seq ${LINES}); do echo $0 line $i; sleep 0.3; done; exit 5`;
      const execs = await Promise.all(
        Array.from({ length: EXECS }, async (_, n) =>
          startExec(body.sandbox.id, { argv: ['sh', '-c', command, String(n)] }),
        ),
      );
      const sockets = await Promise.all(execs.map(async ({ id }) => await subscribeSocket(id, 200)));
      await untilAllRun(body.sandbox.id);
      await startExec(body.sandbox.id, { command: 'touch go' });
      for (const name of ['api', 'worker'] as const) {
        const before = pidOf(name);
        process.kill(before, 'SIGTERM');
        await untilGone(before);
        await awaitNew(name, before);
      }
      const recordings = await Promise.all(sockets.map(async ({ recording }) => await recording));
      for (const [n, recording] of recordings.entries()) {
        const whole = Array.from({ length: LINES }, (_, line) => `${n} line ${line + 1}\n`).join('');
        expect(recording.stdout.toString()).toBe(whole);
        expect(recording.end).toMatchObject({ state: 'failed', exitCode: 5 });
        expect(recording.ends).toBe(1);
      }
      expect(recordings.every(cameAgain)).toBe(true);
    },
    TEST_TIMEOUT_MS,
  );

  const cameAgain = ({ connections }: SocketRecording): boolean => connections > 1;
});

async function untilAllRun(sandbox: string): Promise<void> {
  const path = `/v1/sandboxes/${sandbox}/execs?state=running&limit=200`;
  await until(
    async () => (await insist<{ items: unknown[] }>('GET', path)).body.items.length,
    (running) => running === EXECS,
  );
}
