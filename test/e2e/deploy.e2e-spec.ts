import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ended, output, sandboxOf, startExec } from './api-client.js';
import { untilOutput } from './exec-waits.js';
import { awaitNew, pidOf, untilGone } from './processes.js';
import { subscribeSocket } from './socket-reader.js';

const TEST_TIMEOUT_MS = 120_000;
const LINES = 150;

describe('a deploy', () => {
  it(
    'ends API and worker in order and touches no running command',
    async () => {
      const sandbox = await sandboxOf(`deploy-${randomUUID().slice(0, 8)}`);
      const command = `for i in $(seq ${LINES}); do echo line $i; sleep 0.1; done; exit 9`;
      const { id } = await startExec(sandbox, { command });
      const { recording: socket } = await subscribeSocket(id, 100);
      await untilOutput(id, 'line 5\n');
      for (const name of ['worker', 'api'] as const) {
        const before = pidOf(name);
        process.kill(before, 'SIGTERM');
        await untilGone(before);
        await awaitNew(name, before);
      }
      const source = Array.from({ length: LINES }, (_, n) => `line ${n + 1}\n`).join('');
      expect((await socket).stdout.toString()).toBe(source);
      expect(await ended(id)).toMatchObject({ state: 'failed', exitCode: 9 });
      expect((await output(id)).toString()).toBe(source);
    },
    TEST_TIMEOUT_MS,
  );
});
