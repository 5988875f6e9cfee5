import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { GIT_HOST, GitServer } from '../git/git-server.js';
import { call, output, run, sandboxOf } from './api-client.js';
import { asRootInside, gatewayOf } from './attacks/inside.js';

jest.setTimeout(120_000);

interface OperationBody {
  readonly id: string;
  readonly state: string;
  readonly result: Record<string, unknown> | null;
  readonly park: {
    readonly step: string;
    readonly parkNo: number;
    readonly failure: { code: string };
  } | null;
  readonly steps: { readonly name: string; readonly attempts: number }[];
}

const AUTHOR = { name: 'Somebody', email: 'somebody@berth.test' };
const TOKEN = `tok-${randomBytes(16).toString('hex')}`;
const owner = `git-${randomUUID().slice(0, 8)}`;

let server: GitServer;
let sandbox: string;
let stored: string;

beforeAll(async () => {
  server = await GitServer.listen();
  server.tokens.add(TOKEN);
  sandbox = await sandboxOf(owner);
  await asRootInside(sandbox, `echo '${await gatewayOf(sandbox)} ${GIT_HOST}' >> /etc/hosts`);
  stored = await credentialOf(TOKEN);
});
afterAll(async () => await server.close());

async function credentialOf(secret: string): Promise<string> {
  const body = { owner, host: server.host, secret };
  return (await call<{ id: string }>('POST', '/v1/credentials', { body })).body.id;
}

async function git(what: string, body: object): Promise<OperationBody> {
  const path = `/v1/sandboxes/${sandbox}/git/${what}?wait=60`;
  const answer = await call<OperationBody>('POST', path, { body });
  if (answer.status !== 202) throw new Error(`${what}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

const look = async (what: string, query: string) => {
  const { status, body } = await call(`GET`, `/v1/sandboxes/${sandbox}/git/${what}?${query}`);
  expect([status, body]).toEqual([200, expect.anything()]);
  return body;
};

/** A parked run ends a wait, so one that was decided is asked for again. */
async function until(id: string, states: readonly string[]): Promise<OperationBody> {
  for (const giveUpAt = Date.now() + 60_000; Date.now() < giveUpAt;) {
    const { body } = await call<OperationBody>('GET', `/v1/operations/${id}?wait=5`);
    if (states.includes(body.state)) return body;
  }
  throw new Error(`The operation ${id} is not ${states.join(' or ')}.`);
}

/** A repository on the server, cloned into the sandbox, with something changed in it. */
async function project(name: string): Promise<string> {
  server.make(`${name}.git`);
  const cloned = await git('clone', { url: server.url(`${name}.git`), path: name, credentialId: stored });
  expect(cloned).toMatchObject({ state: 'succeeded', result: { outcome: 'cloned', branch: 'main' } });
  await run(sandbox, { command: `echo change > ${name}/new` });
  return name;
}

describe('git in a sandbox', () => {
  it('clones, commits and pushes, each once, with a token that came with the request', async () => {
    server.make('once.git');
    const credential = { secret: TOKEN };
    const cloned = await git('clone', { url: server.url('once.git'), path: 'once', credential });
    expect(cloned).toMatchObject({ state: 'succeeded', result: { outcome: 'cloned' } });
    await run(sandbox, { command: 'echo change > once/new' });
    const committed = await git('commit', { path: 'once', message: 'second', author: AUTHOR });
    expect(committed).toMatchObject({ state: 'succeeded', result: { outcome: 'committed', branch: 'main' } });
    expect(await git('commit', { path: 'once', message: 'third', author: AUTHOR })).toMatchObject({
      state: 'succeeded',
      result: { outcome: 'nothing_to_commit' },
    });
    const push = { path: 'once', credential: { ...credential, host: server.host } };
    const pushed = await git('push', push);
    expect(pushed).toMatchObject({
      state: 'succeeded',
      result: { outcome: 'pushed', commit: committed.result?.['commit'] },
    });
    expect(await git('push', push)).toMatchObject({ result: { outcome: 'already_there' } });
    expect(server.log('once.git')).toEqual(['second', 'first']);
  });

  it('settles a push whose answer was lost, wherever it was cut', async () => {
    await project('cut');
    for (const [n, cut] of (['before', 'within', 'after'] as const).entries()) {
      server.cuts.push(cut);
      await run(sandbox, { command: `echo ${cut} > cut/new` });
      const asked = { path: 'cut', message: cut, author: AUTHOR, credentialId: stored };
      const operation = await git('commit-and-push', asked);
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
    await project('parked');
    const asked = {
      path: 'parked',
      message: 'kept',
      author: AUTHOR,
      credentialId: await credentialOf('wrong'),
    };
    const parked = await git('commit-and-push', asked);
    expect(parked).toMatchObject({
      state: 'parked',
      park: { step: 'push_branch', failure: { code: 'git_auth_failed' } },
      result: { outcome: 'auth_failed' },
    });
    const decision = { step: 'push_branch', parkNo: 1 };
    const strange = { ...decision, input: { credentialId: randomUUID() } };
    const retry = `/v1/operations/${parked.id}/retry`;
    expect(await call('POST', retry, { body: strange })).toMatchObject({ status: 400 });
    server.hook('parked.git', `echo "not today" >&2; exit 1`);
    await call('POST', retry, { body: { ...decision, input: { credentialId: stored } } });
    const again = await untilParked(parked.id, 2);
    expect(again.result).toMatchObject({ outcome: 'remote_rejected' });
    expect(String(again.result?.['remoteText'])).toContain('not today');
    server.hook('parked.git', undefined);
    await call('POST', retry, { body: { ...decision, parkNo: 2, input: { branch: 'main' } } });
    expect(await until(parked.id, ['succeeded'])).toMatchObject({ result: { outcome: 'pushed' } });
    expect(server.log('parked.git')).toEqual(['kept', 'first']);
  });

  it('refuses before anything runs what only looks like an address, a branch or a path', async () => {
    const urls = [
      'ext::sh -c true',
      'EXT::x',
      'file:///etc',
      'ssh://a/b',
      '-u',
      'http://a/b',
      'https://a@b/c',
      'https://a/b\n',
    ];
    for (const url of urls) {
      const answer = await call('POST', `/v1/sandboxes/${sandbox}/git/clone`, { body: { url, path: 'x' } });
      expect([url, answer.status]).toEqual([url, 400]);
    }
    for (const branch of ['-f', 'a..b', 'a b', 'refs/../x', '@{-1}']) {
      const answer = await call('POST', `/v1/sandboxes/${sandbox}/git/push`, { body: { branch, path: 'x' } });
      expect([branch, answer.status]).toEqual([branch, 400]);
    }
    const refused = await git('clone', { url: 'https://localhost/a.git', path: 'loopback' });
    expect(refused).toMatchObject({ state: 'parked', park: { failure: { code: 'git_address_refused' } } });
    await call('POST', `/v1/operations/${refused.id}/abort`, {
      body: { step: 'clone_repository', parkNo: 1 },
    });
    expect(await until(refused.id, ['canceled'])).toMatchObject({ state: 'canceled' });
    const left = await run(sandbox, { command: 'ls -A' });
    expect((await output(left.id)).toString()).not.toMatch(/loopback|berth-clone/);
  });

  it('looks at once, and makes branches', async () => {
    const path = await project('looks');
    expect(await look('status', `path=${path}`)).toMatchObject({
      branch: 'main',
      files: [{ path: 'new', tree: '?' }],
    });
    await run(sandbox, { command: `echo more >> ${path}/README` });
    expect(await look('diff', `path=${path}`)).toMatchObject({ diff: expect.stringContaining('+more') });
    expect(await look('log', `path=${path}&limit=1`)).toMatchObject({ commits: [{ subject: 'first' }] });
    const made = await call('POST', `/v1/sandboxes/${sandbox}/git/branches`, {
      body: { path, branch: 'topic', create: true, switch: true },
    });
    expect(made).toMatchObject({ status: 200, body: { branch: 'topic' } });
    expect(await look('branches', `path=${path}`)).toMatchObject({
      branches: expect.arrayContaining([expect.objectContaining({ name: 'topic', current: true })]),
    });
    const nowhere = await call('GET', `/v1/sandboxes/${sandbox}/git/status?path=nowhere`);
    expect(nowhere).toMatchObject({ status: 409, body: { code: 'git_no_repository' } });
  });
});

async function untilParked(id: string, parkNo: number): Promise<OperationBody> {
  for (const giveUpAt = Date.now() + 60_000; Date.now() < giveUpAt;) {
    const { body } = await call<OperationBody>('GET', `/v1/operations/${id}?wait=1`);
    if (body.park?.parkNo === parkNo) return body;
  }
  throw new Error(`The operation ${id} did not park as number ${parkNo}.`);
}
