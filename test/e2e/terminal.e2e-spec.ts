import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { call, ended, output, sandboxOf, startExec } from './api-client.js';
import { putStdin, sendSignal } from './input-client.js';
import { killAndAwaitNew } from './processes.js';
import { TerminalClient } from './terminal-client.js';

const TEST_TIMEOUT_MS = 120_000;
const PROMPT = '% ';

let sandbox: string;
const clients: TerminalClient[] = [];

beforeAll(async () => {
  sandbox = await sandboxOf(`terminal-${randomUUID().slice(0, 8)}`);
}, TEST_TIMEOUT_MS);
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

async function bash(): Promise<string> {
  const { id } = await startExec(sandbox, {
    argv: ['bash', '--norc', '-i'],
    env: { PS1: PROMPT, HISTFILE: '' },
    tty: { columns: 80, rows: 24 },
  });
  return id;
}

function attach(id: string, writer?: string): TerminalClient {
  const client = new TerminalClient(id, writer);
  clients.push(client);
  return client;
}

/** A line for a shell whose command shows twice the number when it has begun. */
const inFront = (command: string, number: number): string =>
  `sh -c 'echo front-$((${number}+${number})); ${command}'\n`;

const count = (text: string, part: string): number => text.split(part).length - 1;

describe('a terminal', () => {
  it(
    'survives the API and then the worker, with nothing lost and nothing typed twice',
    async () => {
      const id = await bash();
      const writer = attach(id, 'w1');
      const viewer = attach(id);
      await writer.take();
      await writer.until(() => writer.shown.includes(PROMPT));
      writer.type('echo before-$((1+1))\n');
      await writer.until(() => writer.shown.includes('before-2'));
      const apiAway = killAndAwaitNew('api');
      writer.type('echo api-$((2+2))\n');
      await apiAway;
      await writer.until(() => writer.shown.includes('api-4'));
      const workerAway = killAndAwaitNew('worker');
      writer.type('echo worker-$((3+3))\n');
      await workerAway;
      await writer.until(() => writer.shown.includes('worker-6'));
      writer.type('exit 7\n');
      expect(await writer.status('end')).toMatchObject({ state: 'failed', exitCode: 7 });
      await viewer.status('end');
      for (const answer of ['before-2', 'api-4', 'worker-6']) expect(count(writer.shown, answer)).toBe(1);
      expect(writer.connections).toBeGreaterThan(1);
      expect(viewer.shown).toBe(writer.shown);
      expect((await output(id)).toString()).toBe(writer.shown);
      const late = attach(id);
      await late.status('end');
      expect(late.shown).toBe(writer.shown);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'has one writer, from whom another one may take it',
    async () => {
      const id = await bash();
      const first = attach(id, 'first');
      await first.status('writer', { writer: true });
      await first.take();
      first.type('echo one-$((1+0))\n');
      await first.until(() => first.shown.includes('one-1'));
      const second = attach(id, 'second');
      await second.status('writer', { writer: false });
      await second.take();
      await first.status('writer', { writer: false });
      const { appliedTo } = await second.status('writer', { writer: true });
      await first.until(() => first.appliedTo === appliedTo);
      first.type('echo stolen-$((1+1))\n');
      const put = await putStdin(id, Number(appliedTo), Buffer.from('x'));
      expect(put).toMatchObject({ status: 409, body: { code: 'writer_replaced', appliedTo } });
      const typed = await putStdin(id, Number(appliedTo), Buffer.from('exit 3\n'), '&writer=second');
      expect(typed.status).toBe(200);
      await first.status('end');
      expect(first.shown).not.toContain('stolen-2');
      expect(await ended(id)).toMatchObject({ exitCode: 3 });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is resized, by its writer and over HTTP, within bounds',
    async () => {
      const id = await bash();
      const client = attach(id, 'w');
      await client.take();
      await client.until(() => client.shown.includes(PROMPT));
      await client.status('writer', { writer: true });
      client.resize(132, 43);
      client.type('until stty size | grep -qx "43 132"; do sleep 0.1; done; echo resized-$((1+1))\n');
      await client.until(() => client.shown.includes('resized-2'));
      expect(await call('POST', `/v1/execs/${id}/resize`, { body: { columns: 1, rows: 1 } })).toMatchObject({
        status: 409,
        body: { code: 'writer_replaced' },
      });
      const body = { columns: 2 ** 31, rows: -5, writer: 'w' };
      expect(await call('POST', `/v1/execs/${id}/resize`, { body })).toMatchObject({
        status: 200,
        body: { columns: 1_000, rows: 1 },
      });
      client.type('stty size; exit\n');
      await client.status('end');
      expect(client.shown).toContain('1 1000');
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'gives its keys and signals to what is in front',
    async () => {
      const id = await bash();
      const client = attach(id, 'w');
      await client.take();
      await client.until(() => client.shown.includes(PROMPT));
      // What a program in front says shows that it is in front; the echo of its command line does not.
      client.type(inFront('exec sleep 300', 1));
      await client.until(() => client.shown.includes('front-2'));
      client.type('\x03');
      await client.until(() => count(client.shown, PROMPT) >= 2);
      client.type(inFront('exec cat', 2));
      await client.until(() => client.shown.includes('front-4'));
      expect(await sendSignal(id, 'SIGQUIT')).toMatchObject({ status: 200 });
      await client.until(() => count(client.shown, PROMPT) >= 3);
      client.type('exit 0\n');
      expect(await client.status('end')).toMatchObject({ state: 'succeeded' });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is refused to strangers, at wrong positions, and where there is none',
    async () => {
      const { id } = await startExec(sandbox, { command: 'sleep 1' });
      const plain = attach(id);
      expect(await plain.status('error')).toMatchObject({ code: 'invalid_state' });
      const nobody = attach(randomUUID());
      expect(await nobody.status('error')).toMatchObject({ code: 'not_found' });
    },
    TEST_TIMEOUT_MS,
  );
});
