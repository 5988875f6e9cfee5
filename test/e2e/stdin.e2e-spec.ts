import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { call, ended, output, run, sandboxOf, startExec, type ExecBody } from './api-client.js';
import { startedExec, untilOutput } from './exec-waits.js';
import { feed, putStdin, sendSignal } from './input-client.js';
import { killAndAwaitNew } from './processes.js';

const TEST_TIMEOUT_MS = 120_000;
const MIB = 1_048_576;
const text = (value: string): Uint8Array => Buffer.from(value);

let sandbox: string;

beforeAll(async () => {
  sandbox = await sandboxOf(`stdin-${randomUUID().slice(0, 8)}`);
}, TEST_TIMEOUT_MS);

const open = async (command: string): Promise<ExecBody> =>
  await startedExec(sandbox, { command, stdin: { kind: 'open' } });

/** Ends a command that waits for it. */
const GO = 'while [ ! -e /workspace/go ]; do sleep 0.1; done; rm /workspace/go';
const go = async (): Promise<ExecBody> => await run(sandbox, { command: 'touch /workspace/go' });

describe('the standard input of an exec', () => {
  it(
    'takes each byte once, however often and in whatever overlap it is sent',
    async () => {
      const { id } = await open('cat');
      expect((await putStdin(id, 0, text('hello '))).body).toEqual({ appliedTo: 6, eof: false });
      expect((await putStdin(id, 0, text('hello '))).body).toEqual({ appliedTo: 6, eof: false });
      expect((await putStdin(id, 3, text('lo world'))).body).toEqual({ appliedTo: 11, eof: false });
      const gap = await putStdin(id, 12, text('!'));
      expect(gap).toMatchObject({ status: 409, body: { code: 'stdin_gap', expected: 11 } });
      expect((await putStdin(id, 11, text('\n'), '&eof=true')).body).toEqual({ appliedTo: 12, eof: true });
      expect(await ended(id)).toMatchObject({ state: 'succeeded', exitRecord: { stdinBytes: 12 } });
      expect((await output(id)).toString()).toBe('hello world\n');
      const late = await putStdin(id, 12, text('x'));
      expect(late).toMatchObject({ status: 409, body: { code: 'invalid_state', state: 'succeeded' } });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is the same bytes although the worker and the API are killed meanwhile',
    async () => {
      const whole = randomBytes(16 * MIB);
      const { id } = await open('tee /dev/null | sha256sum');
      const feeding = feed(id, whole, { pieceBytes: 256 * 1_024, seconds: 90 });
      await killAndAwaitNew('worker');
      await killAndAwaitNew('api');
      await feeding;
      expect(await ended(id)).toMatchObject({ state: 'succeeded', exitRecord: { stdinBytes: 16 * MIB } });
      const sha256 = createHash('sha256').update(whole).digest('hex');
      expect((await output(id)).toString()).toBe(`${sha256}  -\n`);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'comes with the request, and ends by itself',
    async () => {
      const bytes = randomBytes(256 * 1_024);
      const inline = { kind: 'inline', base64: bytes.toString('base64') };
      const exec = await run(sandbox, { command: 'cat', stdin: inline });
      expect(exec).toMatchObject({ state: 'succeeded', stdin: { kind: 'inline', bytes: bytes.byteLength } });
      expect((await output(exec.id)).equals(bytes)).toBe(true);
      const refused = await putStdin(exec.id, 0, text('x'));
      expect(refused).toMatchObject({ status: 409, body: { code: 'invalid_state' } });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is nothing by default, and an input that nobody ends does not keep an exec from its timeout',
    async () => {
      expect(await run(sandbox, { command: 'cat; exit 4' })).toMatchObject({ exitCode: 4 });
      const open = { command: 'cat', stdin: { kind: 'open' }, timeoutSeconds: 1 };
      expect(await run(sandbox, open)).toMatchObject({ state: 'timed_out' });
      const idle = { command: 'cat', stdin: { kind: 'open' }, idleTimeoutSeconds: 1 };
      expect(await run(sandbox, idle)).toMatchObject({
        state: 'timed_out',
        exitRecord: { reason: 'idle_timed_out' },
      });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'that the command closes early is a result',
    async () => {
      const { id } = await open(`head -c 4; exec <&-; ${GO}; exit 6`);
      await feed(id, text('abcd'), { pieceBytes: 4, seconds: 20 }).catch(() => undefined);
      let offset = 4;
      for (let answer = await putStdin(id, offset, text('e')); ;) {
        if (answer.status !== 200) {
          expect(answer).toMatchObject({ status: 409, body: { code: 'stdin_closed' } });
          break;
        }
        offset = answer.body.appliedTo ?? offset;
        answer = await putStdin(id, offset, text('e'));
      }
      await go();
      expect(await ended(id)).toMatchObject({ state: 'failed', exitCode: 6 });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'makes a client wait for a command that does not read, with 429 and how far it came',
    async () => {
      const { id } = await open(`${GO}; wc -c`);
      const whole = new Uint8Array(MIB);
      const answer = await putStdin(id, 0, whole, '&eof=true');
      expect(answer).toMatchObject({ status: 429, body: { code: 'stdin_full' } });
      expect(answer.headers.get('retry-after')).toBe('1');
      expect(answer.body.appliedTo).toBeGreaterThan(0);
      await go();
      await feed(id, whole, { pieceBytes: MIB, seconds: 60 });
      await ended(id);
      expect((await output(id)).toString().trim()).toBe(String(MIB));
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is refused where it is not open, is too large, or has no place',
    async () => {
      const { id } = await startExec(sandbox, { command: 'sleep 2' });
      expect(await putStdin(id, 0, text('x'))).toMatchObject({
        status: 409,
        body: { code: 'invalid_state' },
      });
      expect(await putStdin(id, 0, new Uint8Array(MIB + 1))).toMatchObject({ status: 413 });
      expect(await call('PUT', `/v1/execs/${id}/stdin`)).toMatchObject({ status: 400 });
      expect(await putStdin(randomUUID(), 0, text('x'))).toMatchObject({ status: 404 });
    },
    TEST_TIMEOUT_MS,
  );
});

describe('a signal', () => {
  it(
    'reaches the process group of the command, and not an exec that has ended',
    async () => {
      const command =
        "trap 'echo usr1' USR1; trap 'echo int; exit 9' INT; echo ready; while :; do sleep 0.1; done";
      const { id } = await startExec(sandbox, { command });
      await untilOutput(id, 'ready');
      expect(await sendSignal(id, 'SIGUSR1')).toMatchObject({ status: 200 });
      await untilOutput(id, 'usr1');
      expect((await sendSignal(id, 'SIGINT')).body).toMatchObject({ processGroup: expect.any(Number) });
      expect(await ended(id)).toMatchObject({ state: 'failed', exitCode: 9 });
      expect((await output(id)).toString()).toBe('ready\nusr1\nint\n');
      expect(await sendSignal(id, 'SIGINT')).toMatchObject({ status: 409, body: { code: 'invalid_state' } });
      expect(await sendSignal(id, 'SIGSEGV')).toMatchObject({ status: 400 });
    },
    TEST_TIMEOUT_MS,
  );

  it.each(['root', '0', '00:1000', 'root:root'])(
    'is nothing for %s, which no command may be',
    async (user) => {
      const answer = await call('POST', `/v1/sandboxes/${sandbox}/execs`, { body: { command: 'id', user } });
      expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden', pointer: '/user' } });
    },
  );

  it(
    'finds a command that runs as the user that was asked for',
    async () => {
      const exec = await run(sandbox, { command: 'id -un', user: 'nobody' });
      expect((await output(exec.id)).toString()).toBe('nobody\n');
      expect(await run(sandbox, { command: 'id', user: 'nosuch' })).toMatchObject({
        state: 'not_started',
        failure: { code: 'user_invalid' },
      });
    },
    TEST_TIMEOUT_MS,
  );
});
