import { createHash, randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { call, ended, insist, output, run, sandboxOf, startExec } from '../api-client.js';
import { feed, putStdin } from '../input-client.js';
import { until } from '../until.js';
import { Steadiness } from './api-process.js';
import { processesIn } from './inside.js';

const TEST_TIMEOUT_MS = 200_000;
const MIB = 1_048_576;
/** More than a process may keep of it, which it would where it were held. How much is, `npm run bench -- bulk` measures. */
const FLOOD_BYTES = 384 * MIB;
/** Of the tier `small`. */
const PROCESSES_MAX = 512;
/** Never gives up, as the one of a shell does after a while. */
const ENDLESS_BOMB = ['perl', '-e', 'while (1) { defined(fork) or sleep 1 }'];
const STDIN_BYTES = 10 ** 9;
const STDIN_SECONDS_MAX = 900;
/** Of the tier `small`: one processor. The share above it is what accounting may be off by. */
const CPU_SHARE_MAX = 1.3;

let hog: string;
let neighbour: string;

beforeAll(async () => {
  const owner = `hog-${randomUUID().slice(0, 8)}`;
  const { body } = await insist<{ sandbox: { id: string } }>('POST', '/v1/sandboxes?wait=60', {
    body: { owner, tier: 'small' },
  });
  hog = body.sandbox.id;
  neighbour = await sandboxOf(`neighbour-${randomUUID().slice(0, 8)}`);
}, TEST_TIMEOUT_MS);

/** Commands next door, one after the other, for as long as the attack goes on. Each must work. */
async function neighboursDuring<Result>(attack: Promise<Result>): Promise<Result> {
  let isOver = false;
  void attack.finally(() => (isOver = true));
  do {
    expect(await run(neighbour, { command: 'echo hi' })).toMatchObject({ state: 'succeeded' });
  } while (!isOver);
  return await attack;
}

async function stillWorks(): Promise<void> {
  const after = await run(hog, { command: 'echo alive' });
  expect((await output(after.id)).toString()).toBe('alive\n');
}

describe('a sandbox that wants everything', () => {
  it(
    'with a fork bomb comes to the limit of its processes, and is ended with all of them',
    async () => {
      const bomb = { argv: ['bash', '-c', 'b() { b | b & b; }; b'], timeoutSeconds: 4 };
      const exec = await neighboursDuring(run(hog, bomb));
      expect(exec).toMatchObject({ state: 'timed_out', exitRecord: { descendantsLeft: 0 } });
      await stillWorks();
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'at the limit of its processes is stopped as any other, and starts again',
    async () => {
      const bomb = await startExec(hog, { argv: ENDLESS_BOMB });
      const atLimit = until(
        () => processesIn(hog),
        ({ current, limit }) => current >= limit,
      );
      expect(await neighboursDuring(atLimit)).toMatchObject({ limit: PROCESSES_MAX });
      for (const [action, state] of [
        ['stop', 'stopped'],
        ['start', 'running'],
      ]) {
        await neighboursDuring(insist('POST', `/v1/sandboxes/${hog}/${action}?wait=60`));
        await until(
          async () =>
            (await call<{ observedState: string }>('GET', `/v1/sandboxes/${hog}`)).body.observedState,
          (observed) => observed === state,
        );
      }
      expect((await ended(bomb.id)).state).not.toBe('succeeded');
      await stillWorks();
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'with all memory is oom_killed, as the kernel counted it, and nobody else is',
    async () => {
      const exec = await neighboursDuring(run(hog, { argv: ['tail', '/dev/zero'], timeoutSeconds: 60 }));
      expect(exec).toMatchObject({
        state: 'oom_killed',
        exitCode: null,
        signal: 'SIGKILL',
        exitRecord: { reason: 'oom_killed', hadToKill: expect.any(Boolean) },
      });
      expect(exec.exitRecord?.['oomKills']).toBeGreaterThan(0);
      expect((exec['usage'] as { memoryPeakBytes: number }).memoryPeakBytes).toBeGreaterThan(256 * MIB);
      await stillWorks();
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'with every processor gets the one of its tier',
    async () => {
      const spin = 'for i in 1 2 3 4; do (while :; do :; done) & done; wait';
      const exec = await run(hog, { command: spin, timeoutSeconds: 4 });
      expect(exec).toMatchObject({ state: 'timed_out' });
      const { cpuMs, wallMs } = exec['usage'] as { cpuMs: number; wallMs: number };
      expect(cpuMs).toBeGreaterThan(0);
      expect(cpuMs / wallMs).toBeLessThan(CPU_SHARE_MAX);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'with a flood of output is cut at the byte, and nothing grows with it',
    async () => {
      const [api, worker] = [new Steadiness('api'), new Steadiness('worker')];
      const exec = await neighboursDuring(
        run(hog, { command: 'yes', outputBytesMax: FLOOD_BYTES, timeoutSeconds: 150 }, 160),
      );
      expect(exec).toMatchObject({ state: 'output_limited', stdoutBytes: FLOOD_BYTES });
      const tail = await output(exec.id, 'stdout', FLOOD_BYTES - 4);
      expect(tail.toString()).toBe('y\ny\n');
      await Promise.all([api.hold(), worker.hold()]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'with an input that is large, far away or for nobody makes nothing grow',
    async () => {
      const [api, worker] = [new Steadiness('api'), new Steadiness('worker')];
      const { id } = await startExec(hog, { command: 'sha256sum', stdin: { kind: 'open' } });
      const whole = Buffer.alloc(STDIN_BYTES, 'abcdefg\n');
      await feed(id, whole, { pieceBytes: MIB, seconds: STDIN_SECONDS_MAX });
      await ended(id);
      const sha256 = createHash('sha256').update(whole).digest('hex');
      expect((await output(id)).toString()).toBe(`${sha256}  -\n`);
      await Promise.all([api.hold(), worker.hold()]);

      const deaf = await startExec(hog, { command: 'exec 0<&-; sleep 600', stdin: { kind: 'open' } });
      const far = await untilRunning(async () => await putStdin(deaf.id, 10 ** 15, Buffer.from('x')));
      expect(far).toMatchObject({ status: 409 });
      expect(await putStdin(deaf.id, Number.MAX_SAFE_INTEGER + 1, Buffer.from('x'))).toMatchObject({
        status: 400,
      });
      expect((await putStdin(deaf.id, 0, Buffer.alloc(MIB + 1))).status).toBe(413);
      await call('POST', `/v1/execs/${deaf.id}/cancel`);
      expect(await ended(deaf.id)).toMatchObject({ state: 'canceled' });
    },
    TEST_TIMEOUT_MS + STDIN_SECONDS_MAX * 1_000,
  );
});

/** A 409 may also say that the exec is not running yet; then it is asked again. */
async function untilRunning<A extends { readonly body: { readonly state?: string } }>(
  ask: () => Promise<A>,
): Promise<A> {
  for (;;) {
    const answer = await ask();
    if (answer.body.state !== 'queued' && answer.body.state !== 'starting') return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
