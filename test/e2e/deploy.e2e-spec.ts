import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { BASE_IMAGE } from '../../scripts/launcher/base-image.js';
import { call, ended, insist, output, run, sandboxOf, startExec } from './api-client.js';
import { bulk, decided, untilBulk } from './bulk-client.js';
import { untilOutput } from './exec-waits.js';
import { awaitNew, pidOf, untilGone } from './processes.js';
import { subscribeSocket } from './socket-reader.js';

const TEST_TIMEOUT_MS = 120_000;
const LINES = 150;
const LOOK_MS = 100;
const PARTS = ['worker', 'api'] as const;

describe('a deploy', () => {
  it(
    'ends API and worker in order and touches no running command',
    async () => {
      const sandbox = await sandboxOf(`deploy-${randomUUID().slice(0, 8)}`);
      const command = `for i in $(seq ${LINES}); do echo line $i; sleep 0.1; done; exit 9`;
      const { id } = await startExec(sandbox, { command });
      const { recording: socket } = await subscribeSocket(id, 100);
      await untilOutput(id, 'line 5\n');
      for (const name of PARTS) {
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

  it(
    'goes over a run that is parked and a bulk operation that is under way, and both go on',
    async () => {
      const owner = (): string => `deploy-${randomUUID().slice(0, 8)}`;
      const made = await call<{ operation: Parked }>('POST', '/v1/sandboxes?wait=60', {
        body: { owner: owner(), image: `berth/no-such-${randomUUID()}:1` },
      });
      const { operation } = made.body;
      expect(operation).toMatchObject({ state: 'parked', park: { failure: { code: 'image_missing' } } });
      const sandboxIds = [await sandboxOf(owner()), await sandboxOf(owner())];
      const command = 'until [ -e /workspace/go ]; do sleep 0.1; done; echo once >> /workspace/done';
      const { id } = await bulk({ action: 'exec', sandboxIds, maxConcurrency: 1, exec: { command } });
      await untilBulk(id, ({ counts }) => counts.running === 1);
      for (const name of PARTS) {
        const before = pidOf(name);
        process.kill(before, 'SIGTERM');
        await untilGone(before);
        await awaitNew(name, before);
      }
      const { step, parkNo } = operation.park;
      const body = { step, parkNo, input: { image: BASE_IMAGE } };
      await insist('POST', `/v1/operations/${operation.id}/retry`, { body });
      await succeeded(operation.id);
      for (const one of sandboxIds) {
        expect(await run(one, { command: 'touch /workspace/go' })).toMatchObject({ state: 'succeeded' });
      }
      expect(await decided(id)).toMatchObject({ state: 'succeeded', counts: { succeeded: 2 } });
      for (const one of sandboxIds) {
        const { id: read } = await startExec(one, { command: 'cat /workspace/done' });
        await ended(read);
        expect((await output(read)).toString()).toBe('once\n');
      }
    },
    TEST_TIMEOUT_MS,
  );
});

interface Parked {
  readonly id: string;
  readonly state: string;
  readonly park: { readonly step: string; readonly parkNo: number };
}

/** A run that was parked is so until the signal has come to it. */
async function succeeded(id: string): Promise<void> {
  for (;;) {
    const { body } = await insist<{ readonly state: string }>('GET', `/v1/operations/${id}?wait=30`);
    if (body.state === 'succeeded') return;
    expect(['parked', 'pending', 'running']).toContain(body.state);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
