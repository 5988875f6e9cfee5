import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { run } from './program.js';
import { SmallApi, type Subscription } from './testing/small-api.js';

const SANDBOX = {
  id: 's-1',
  owner: 'u1',
  name: 'default',
  image: 'berth/base',
  tier: 'medium',
  generation: 1,
  observedState: 'running',
  createdAt: '2026-01-01T00:00:00.000Z',
};
const EXEC = {
  id: 'e-1',
  sandboxId: 's-1',
  state: 'queued',
  exitCode: null,
  signal: null,
  createdAt: '2026-01-01T00:00:00.000Z',
  finishedAt: null,
};

interface Received {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

let api: SmallApi;
let received: Received[];
let onSubscribe: (subscription: Subscription) => void;
let interrupt: (() => void) | undefined;
let keys: PassThrough;

const ANSWERS: Record<string, { status: number; body: unknown }> = {
  'POST /v1/sandboxes': { status: 200, body: { sandbox: SANDBOX, operation: null } },
  'GET /v1/sandboxes': { status: 200, body: { items: [SANDBOX], nextCursor: null } },
  'POST /v1/sandboxes/s-1/execs': { status: 202, body: EXEC },
  'POST /v1/execs/e-1/cancel': { status: 202, body: EXEC },
};

beforeEach(async () => {
  received = [];
  interrupt = undefined;
  keys = new PassThrough();
  api = new SmallApi(
    (subscription) => {
      subscription.ack();
      onSubscribe(subscription);
    },
    (request, body) => {
      const path = request.url ?? '';
      received.push({ method: request.method ?? '', path, body: body === '' ? undefined : JSON.parse(body) });
      return ANSWERS[`${request.method} ${path}`];
    },
  );
  await api.start();
});

afterEach(async () => {
  await api.stop();
});

async function berth(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const out = new PassThrough();
  const err = new PassThrough();
  const texts = Promise.all([text(out), text(err)]);
  const code = await run(['--url', api.url, '--admin-secret', 'secret', ...argv], {
    out,
    err,
    local: {
      input: keys,
      raw: () => () => undefined,
      size: () => undefined,
      onResize: () => () => undefined,
    },
    onInterrupt: (listener) => {
      interrupt = listener;
      return () => (interrupt = undefined);
    },
  });
  out.end();
  err.end();
  const [written, noted] = await texts;
  return { code, out: written, err: noted };
}

describe('berth exec', () => {
  test('runs in the sandbox of the owner, streams each stream to its own and exits as the command did', async () => {
    onSubscribe = (subscription) => {
      subscription.output(1, 0, 'hello\n', 30);
      subscription.output(2, 0, 'warning\n', 62);
      subscription.end({ state: 'failed', exitCode: 3, signal: null });
    };
    const seen = await berth('exec', '--owner', 'u1', '--', 'ls', '-la');
    expect(seen).toEqual({ code: 3, out: 'hello\n', err: 'warning\n' });
    expect(received.map((one) => [`${one.method} ${one.path}`, one.body])).toEqual([
      ['POST /v1/sandboxes', { owner: 'u1' }],
      ['POST /v1/sandboxes/s-1/execs', { argv: ['ls', '-la'] }],
    ]);
  });

  test('prints only the id with --detach', async () => {
    const seen = await berth('exec', '-s', 's-1', '--detach', '--', 'true');
    expect(seen).toEqual({ code: 0, out: 'e-1\n', err: '' });
  });

  test('cancels on the first interrupt and waits for the end', async () => {
    onSubscribe = (subscription) => {
      interrupt?.();
      const canceled = setInterval(() => {
        if (!received.some((one) => one.path.endsWith('/cancel'))) return;
        clearInterval(canceled);
        subscription.end({ state: 'canceled', exitCode: null, signal: 'SIGTERM' });
      }, 5);
    };
    const seen = await berth('exec', '-s', 's-1', '--', 'sleep', '60');
    expect(seen.code).toBe(130);
    expect(seen.err).toContain('canceling exec e-1');
    expect(seen.err).toContain('ended as canceled (SIGTERM)');
  });

  test('stops watching on the second interrupt', async () => {
    onSubscribe = () => {
      interrupt?.();
      interrupt?.();
    };
    const seen = await berth('exec', '-s', 's-1', '--', 'sleep', '60');
    expect(seen.code).toBe(130);
    expect(seen.err).toContain('stopped watching exec e-1');
  });

  test('says why a command was not started and exits as a shell would', async () => {
    const failure = { code: 'invalid_state', message: 'nosuch: no such file or directory' };
    const exitRecord = { startFailure: { code: 'command_not_found', message: failure.message } };
    onSubscribe = (subscription) =>
      subscription.end({ state: 'not_started', exitCode: null, signal: null, exec: { failure, exitRecord } });
    const seen = await berth('exec', '-s', 's-1', '--', 'nosuch');
    expect(seen).toMatchObject({ code: 127, out: '' });
    expect(seen.err).toContain('ended as not_started (nosuch: no such file or directory)');
  });

  test('says that a command is missing before it starts anything', async () => {
    const seen = await berth('exec', '--owner', 'u1');
    expect(seen.code).toBe(255);
    expect(seen.err).toContain('No command is given');
    expect(received).toEqual([]);
  });
});

describe('berth', () => {
  test('shows tables, and whole resources with --json', async () => {
    expect((await berth('sandbox', 'ls')).out).toMatch(/^ID +OWNER +NAME +STATE/);
    expect(JSON.parse((await berth('--json', 'sandbox', 'ls')).out)).toEqual({
      items: [SANDBOX],
      nextCursor: null,
    });
  });

  test('shows the code of a refusal and what to do, also as JSON', async () => {
    const seen = await berth('sandbox', 'get', 'nowhere');
    expect(seen).toMatchObject({ code: 1, out: '' });
    expect(seen.err).toContain('Not found. (not_found)');
    expect(JSON.parse((await berth('--json', 'sandbox', 'get', 'nowhere')).err)).toMatchObject({
      error: { code: 'not_found' },
    });
  });

  test('gives the options after `exec ls` to it, and refuses those before it', async () => {
    await berth('exec', 'ls', '-s', 's-1', '--owner', 'u1', '--json');
    expect(received.map((one) => one.path)).toEqual(['/v1/execs?limit=50&sandboxId=s-1&owner=u1']);
    const seen = await berth('exec', '-s', 's-1', 'ls');
    expect(seen.code).toBe(255);
    expect(seen.err).toContain('To run `ls` in a sandbox put it after `--`');
    expect(received).toHaveLength(1);
  });

  test('says how to start an API that is not there', async () => {
    await api.stop();
    const seen = await berth('sandbox', 'ls');
    expect(seen.code).toBe(1);
    expect(seen.err).toContain('`npm start`');
  });

  test('has help with examples for every command', async () => {
    for (const argv of [[], ['exec'], ['sandbox'], ['op'], ['cp'], ['doctor']]) {
      const seen = await berth(...argv, '--help');
      expect(seen.code).toBe(0);
      expect(seen.out).toContain('Examples:');
    }
  });
});

describe('berth exec with input', () => {
  const APPLIED = { status: 200, body: { appliedTo: 2, eof: false } };

  test('opens standard input and sends it, and the end', async () => {
    ANSWERS['PUT /v1/execs/e-1/stdin?offset=0'] = APPLIED;
    ANSWERS['PUT /v1/execs/e-1/stdin?offset=2&eof=1'] = APPLIED;
    onSubscribe = (subscription) => {
      const poll = setInterval(() => {
        if (!received.some(({ path }) => path.endsWith('eof=1'))) return;
        clearInterval(poll);
        subscription.end({ state: 'succeeded', exitCode: 0, signal: null });
      }, 5);
    };
    keys.end('12');
    expect((await berth('exec', '-i', '--', 'wc', '-c')).code).toBe(0);
    expect(received.find(({ path }) => path.endsWith('/execs'))?.body).toEqual({
      argv: ['wc', '-c'],
      stdin: { kind: 'open' },
    });
    expect(received.find(({ path }) => path.endsWith('offset=0'))?.body).toBe(12);
  });

  test('sends a signal by its long or its short name', async () => {
    ANSWERS['POST /v1/execs/e-1/signal'] = { status: 200, body: { processGroup: 7 } };
    expect((await berth('exec', 'signal', 'e-1', 'int')).out).toBe('sent to process group 7\n');
    expect(received.at(-1)?.body).toEqual({ signal: 'SIGINT' });
  });

  test('sends more input to an exec that runs already, after what it has', async () => {
    ANSWERS['PUT /v1/execs/e-1/stdin?offset=0'] = APPLIED;
    ANSWERS['PUT /v1/execs/e-1/stdin?offset=2'] = APPLIED;
    ANSWERS['PUT /v1/execs/e-1/stdin?offset=5&eof=1'] = APPLIED;
    keys.end('345');
    expect((await berth('exec', 'stdin', 'e-1')).out).toBe('the input has come to byte 5\n');
  });
});

describe('git and credentials', () => {
  const OPERATION = {
    id: 'o-1',
    sandboxId: 's-1',
    kind: 'git_push',
    state: 'succeeded',
    steps: [],
    park: null,
    result: { outcome: 'pushed' },
    createdAt: '2026-01-01T00:00:00.000Z',
    finishedAt: null,
  };

  test('sends what is to be done, and follows it to its result', async () => {
    ANSWERS['POST /v1/sandboxes/s-1/git/commit-and-push'] = { status: 202, body: OPERATION };
    ANSWERS['GET /v1/operations/o-1?wait=2'] = { status: 200, body: OPERATION };
    const words = ['git', 'commit-and-push', 'p', '-s', 's-1', '-m', 'hello', '--credential', 'c-1'];
    const { code, out } = await berth(...words, '--force-with-lease');
    expect([code, out]).toEqual([0, expect.stringContaining('result     outcome: pushed')]);
    expect(received[0]?.body).toEqual({
      path: 'p',
      message: 'hello',
      credentialId: 'c-1',
      force: 'with-lease',
    });
  });

  test('reads a secret from a file, and never from the command line', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'berth-cli-')), 'token');
    writeFileSync(file, 'token-1\n');
    const body = {
      id: 'c-1',
      owner: 'u1',
      host: 'git.test',
      username: 'git',
      createdAt: '2026-01-01T00:00:00.000Z',
    };
    ANSWERS['POST /v1/credentials'] = { status: 201, body };
    const added = await berth('credential', 'add', '-o', 'u1', '--host', 'git.test', '--secret-file', file);
    expect([added.code, added.out]).toEqual([0, expect.not.stringContaining('token-1')]);
    expect(received[0]?.body).toEqual({ owner: 'u1', host: 'git.test', secret: 'token-1' });
    expect((await berth('credential', 'add', '--host', 'git.test', '--secret', 'x')).code).toBe(2);
  });
});
