import { randomBytes } from 'node:crypto';
import WebSocket from 'ws';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { GitSandbox, isIn, type OperationBody } from '../git/git-sandbox.js';
import { GitServer } from '../git/git-server.js';
import { asRootInside } from './attacks/inside.js';
import { runningStack } from '../stack/running-stack.js';
import { output, run, secretHeader } from './api-client.js';

jest.setTimeout(180_000);

const TOKEN = 'bounds';
const BRANCHES = 50_000;

let server: GitServer;
let sandbox: GitSandbox;
let credentialId: string;

beforeAll(async () => {
  server = await GitServer.listen();
  server.tokens.add(TOKEN);
  sandbox = await GitSandbox.of(server);
  credentialId = await sandbox.credential(TOKEN);
});
afterAll(async () => await server.close());

const clone = async (name: string, more: object = {}): Promise<OperationBody> =>
  await sandbox.git('clone', { url: server.url(`${name}.git`), path: name, credentialId, ...more });

const printed = async (command: string): Promise<string> =>
  (await output((await run(sandbox.id, { command })).id)).toString();

/** Parked with this, given up, and nothing of it is left: neither files nor processes. */
async function expectGivenUp(cloned: OperationBody, code: string): Promise<void> {
  const step = 'clone_repository';
  expect(cloned).toMatchObject({ state: 'parked', park: { step, failure: { code } } });
  expect(await printed('ls -A')).not.toMatch(/berth-clone/);
  await sandbox.decide(cloned.id, 'abort', { step, parkNo: 1 });
  await sandbox.until(cloned.id, isIn('canceled'));
  expect(
    await printed('ls -A; for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; done 2>/dev/null'),
  ).not.toMatch(/berth-clone|git-remote|index-pack/);
}

/** Until a frame about the operation says how far git has come. */
async function percentageOf(operationId: string): Promise<{ phase: string; percent: number }> {
  const url = new URL('/v1/ws', runningStack().apiUrl);
  url.protocol = 'ws:';
  const socket = new WebSocket(url, { headers: secretHeader() });
  try {
    return await new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('The socket ended before it told of a percentage.')));
      socket.on('open', () =>
        socket.send(JSON.stringify({ t: 'sub', id: 's', topic: `operation:${operationId}` })),
      );
      socket.on('message', (frame: Buffer) => {
        const [, progress] = /"progress":(\{[^}]*\})/.exec(frame.toString()) ?? [];
        if (progress !== undefined) resolve(JSON.parse(progress) as { phase: string; percent: number });
      });
    });
  } finally {
    socket.removeAllListeners('close');
    socket.close();
  }
}

describe('a remote that sends much', () => {
  it("shows git's own percentages over WebSocket while it is cloned", async () => {
    const large = randomBytes(400_000).toString('hex');
    server.make('large.git', { README: 'hello\n', large });
    let goOn = (): void => undefined;
    server.halfway = new Promise((resolve) => (goOn = resolve));
    const { id } = await sandbox.git(
      'clone',
      { url: server.url('large.git'), path: 'large', credentialId },
      0,
    );
    try {
      expect(await percentageOf(id)).toEqual({ phase: expect.any(String), percent: expect.any(Number) });
    } finally {
      goOn();
    }
    expect(await sandbox.until(id, isIn('succeeded'))).toMatchObject({ result: { outcome: 'cloned' } });
    expect(await printed('cat large/large | wc -c')).toBe('800000\n');
  });
});

describe('a remote that means harm', () => {
  it.each([
    ['a billion files', 'x', 9],
    ['a hundred gigabytes', '\u0000'.repeat(1_048_576), 5],
  ])('has %s in a few kilobytes, and none of it is checked out', async (what, content, levels) => {
    const name = what.replaceAll(' ', '-');
    server.makeBomb(`${name}.git`, content, levels);
    const cloned = await clone(name);
    await expectGivenUp(cloned, 'git_too_large');
    expect(await printed('ls -A')).not.toContain(name);
  });

  it('names content elsewhere that is larger still, and it is not asked for', async () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1000000000000\n';
    server.make('lfs.git', {
      '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs\n',
      'large.bin': pointer,
    });
    // As the package of git-lfs sets it up for everybody.
    const filter =
      'printf "#!/bin/sh\\necho smudged >> /tmp/smudged\\n" > /usr/local/bin/git-lfs; chmod 755 /usr/local/bin/git-lfs';
    const settings = ['smudge', 'process', 'clean'].map(
      (one) => `git config --system filter.lfs.${one} "git-lfs ${one}"`,
    );
    await asRootInside(sandbox.id, [filter, ...settings].join('; '));
    expect(await clone('lfs')).toMatchObject({ state: 'succeeded' });
    expect(await printed('cat lfs/large.bin')).toBe(pointer);
    expect(await printed('ls /tmp')).not.toContain('smudged');
    // The same by a git that nobody holds back.
    const byHand = 'rm lfs/large.bin; git -C lfs checkout -- large.bin > /dev/null 2>&1; ls /tmp';
    expect(await printed(byHand)).toContain('smudged');
  });

  it('takes a request and never answers, and is waited for as long as was asked', async () => {
    server.make('silent.git');
    server.isSilent = true;
    const cloned = await clone('silent', { timeoutSeconds: 1 });
    await expectGivenUp(cloned, 'git_timed_out');
    server.isSilent = false;
    expect(await clone('silent', { timeoutSeconds: 600 })).toMatchObject({ state: 'succeeded' });
  });

  it('has very many branches: they are cloned, and listed in pages', async () => {
    server.make('many.git');
    server.addBranches('many.git', BRANCHES);
    expect(await clone('many')).toMatchObject({ state: 'succeeded' });
    type Page = { branches: { name: string }[]; truncated: boolean; nextCursor: string | null };
    const page = async (more: string): Promise<Page> => {
      const path = `/v1/sandboxes/${sandbox.id}/git/branches?path=many${more}`;
      const { status, body } = await sandbox.ask<Page>('GET', path);
      expect(status).toBe(200);
      return body;
    };
    const first = await page('');
    expect(first).toMatchObject({ truncated: true, nextCursor: expect.any(String) });
    expect(first.branches).toHaveLength(1_000);
    const second = await page(`&limit=2&cursor=${first.nextCursor}`);
    expect(second.branches.map(({ name }) => name)).toEqual(
      [998, 999].map((at) => `origin/many/${String(at).padStart(7, '0')}`),
    );
    const last = Buffer.from(`refs/remotes/origin/many/${String(BRANCHES - 3).padStart(7, '0')}`).toString(
      'base64url',
    );
    const end = await page(`&cursor=${last}`);
    expect(end).toMatchObject({ truncated: false, nextCursor: null });
    expect(end.branches).toHaveLength(2);
  });
});
