import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { AUTHOR, GitSandbox, isIn, isParkedAs } from '../git/git-sandbox.js';
import { GitServer } from '../git/git-server.js';
import { output, run } from './api-client.js';

jest.setTimeout(120_000);

const TOKEN = `tok-${randomBytes(16).toString('hex')}`;

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

const look = async (what: string, query: string) => {
  const { status, body } = await sandbox.ask(`GET`, `/v1/sandboxes/${sandbox.id}/git/${what}?${query}`);
  return { status, body };
};

describe('git in a sandbox', () => {
  it('clones, commits and pushes, each once, with a token that came with the request', async () => {
    const credential = { secret: TOKEN };
    expect(await sandbox.project('once', { credential })).toMatchObject({
      state: 'succeeded',
      result: { outcome: 'cloned', branch: 'main' },
    });
    const commit = { path: 'once', message: 'second', author: AUTHOR };
    const committed = await sandbox.git('commit', commit);
    expect(committed).toMatchObject({ state: 'succeeded', result: { outcome: 'committed', branch: 'main' } });
    expect(await sandbox.git('commit', commit)).toMatchObject({
      state: 'succeeded',
      result: { outcome: 'nothing_to_commit' },
    });
    const push = { path: 'once', credential: { ...credential, host: server.host } };
    expect(await sandbox.git('push', push)).toMatchObject({
      state: 'succeeded',
      result: { outcome: 'pushed', commit: committed.result?.['commit'] },
    });
    expect(await sandbox.git('push', push)).toMatchObject({ result: { outcome: 'already_there' } });
    expect(server.log('once.git')).toEqual(['second', 'first']);
  });

  it('settles a push whose answer was lost, wherever it was cut', async () => {
    await sandbox.project('cut', { credentialId });
    for (const [n, cut] of (['before', 'within', 'after'] as const).entries()) {
      server.cuts.push(cut);
      await run(sandbox.id, { command: `echo ${cut} > cut/new` });
      const operation = await sandbox.git('commit-and-push', {
        path: 'cut',
        message: cut,
        author: AUTHOR,
        credentialId,
      });
      expect(operation).toMatchObject({
        state: 'succeeded',
        result: { outcome: 'pushed', commit: server.tip('cut.git') },
      });
      expect(server.log('cut.git')).toHaveLength(n + 2);
    }
    expect(server.log('cut.git')).toEqual(['after', 'within', 'before', 'first']);
    expect(server.cuts).toEqual([]);
  });

  it('parks what a remote refuses, keeps the commit, and goes on with what was corrected', async () => {
    await sandbox.project('parked', { credentialId });
    const wrong = await sandbox.credential('wrong');
    const asked = { path: 'parked', message: 'kept', author: AUTHOR, credentialId: wrong };
    const { id, ...parked } = await sandbox.git('commit-and-push', asked);
    expect(parked).toMatchObject({
      state: 'parked',
      park: { step: 'push_branch', failure: { code: 'git_auth_failed' } },
      result: { outcome: 'auth_failed' },
    });
    const decision = { step: 'push_branch', parkNo: 1 };
    const strange = { ...decision, input: { credentialId: randomUUID() } };
    expect(await sandbox.decide(id, 'retry', strange)).toBe(400);
    server.hook('parked.git', `echo "not today" >&2; exit 1`);
    await sandbox.decide(id, 'retry', { ...decision, input: { credentialId } });
    const again = await sandbox.until(id, isParkedAs(2));
    expect(again.result).toMatchObject({ outcome: 'remote_rejected' });
    expect(String(again.result?.['remoteText'])).toContain('not today');
    server.hook('parked.git', undefined);
    await sandbox.decide(id, 'retry', { ...decision, parkNo: 2, input: { branch: 'main' } });
    expect(await sandbox.until(id, isIn('succeeded'))).toMatchObject({ result: { outcome: 'pushed' } });
    expect(server.log('parked.git')).toEqual(['kept', 'first']);
  });

  it('refuses before anything runs what only looks like an address, a branch or a path', async () => {
    const git = `/v1/sandboxes/${sandbox.id}/git`;
    const urls = [
      'ext::sh -c true',
      'EXT::x',
      'file:///etc',
      'ssh://a/b',
      '-u',
      'http://a/b',
      'https://a@b/c',
    ];
    for (const url of [...urls, 'https://a/b\n']) {
      const { status } = await sandbox.ask('POST', `${git}/clone`, { url, path: 'x' });
      expect([url, status]).toEqual([url, 400]);
    }
    for (const branch of ['-f', 'a..b', 'a b', 'refs/../x', '@{-1}']) {
      const { status } = await sandbox.ask('POST', `${git}/push`, { branch, path: 'x' });
      expect([branch, status]).toEqual([branch, 400]);
    }
    const refused = await sandbox.git('clone', { url: 'https://localhost/a.git', path: 'loopback' });
    expect(refused).toMatchObject({ state: 'parked', park: { failure: { code: 'git_address_refused' } } });
    await sandbox.decide(refused.id, 'abort', { step: 'clone_repository', parkNo: 1 });
    await sandbox.until(refused.id, isIn('canceled'));
    const left = await run(sandbox.id, { command: 'ls -A' });
    expect((await output(left.id)).toString()).not.toMatch(/loopback|berth-clone/);
  });

  it('looks at once, and makes branches', async () => {
    await sandbox.project('looks', { credentialId });
    expect(await look('status', 'path=looks')).toMatchObject({
      status: 200,
      body: { branch: 'main', files: [{ path: 'new', tree: '?' }] },
    });
    await run(sandbox.id, { command: `echo more >> looks/README` });
    expect(await look('diff', 'path=looks')).toMatchObject({
      status: 200,
      body: { diff: expect.stringContaining('+more') },
    });
    expect(await look('log', 'path=looks&limit=1')).toMatchObject({
      body: { commits: [{ subject: 'first' }] },
    });
    const made = await sandbox.ask('POST', `/v1/sandboxes/${sandbox.id}/git/branches`, {
      path: 'looks',
      branch: 'topic',
      create: true,
      switch: true,
    });
    expect(made).toMatchObject({ status: 200, body: { branch: 'topic' } });
    expect(await look('branches', 'path=looks')).toMatchObject({
      body: { branches: expect.arrayContaining([expect.objectContaining({ name: 'topic', current: true })]) },
    });
    expect(await look('status', 'path=nowhere')).toMatchObject({
      status: 409,
      body: { code: 'git_no_repository' },
    });
  });
});
