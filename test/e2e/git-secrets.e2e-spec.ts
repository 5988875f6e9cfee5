import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import WebSocket from 'ws';
import { AUTHOR, GitSandbox, isIn, isParkedAs } from '../git/git-sandbox.js';
import { GitServer } from '../git/git-server.js';
import { credentialsLeft, filesWith, formsOf, tablesWith } from '../git/secret-search.js';
import { runningStack } from '../stack/running-stack.js';
import { output, run, secretHeader } from './api-client.js';
import { asRootInside, inspectionOf } from './attacks/inside.js';
import { killAndAwaitNew } from './processes.js';

jest.setTimeout(180_000);

/** One for each way in: with the request, and stored. */
const WITH_REQUEST = `tok-${randomBytes(16).toString('hex')}`;
const STORED = `tok-${randomBytes(16).toString('hex')}`;
/** What the processes of a sandbox show to its own user. */
const EVERYTHING_OF_PROCESSES = `for p in /proc/[0-9]*; do cat $p/cmdline $p/environ; ls -l $p/fd; done 2>/dev/null`;
const LOOK_INTO_THE_PROGRAM = `p=$(pgrep -o berth-git) && for f in environ mem maps fd/0; do head -c1 /proc/$p/$f; done 2>&1 | cat -v`;

let server: GitServer;
let sandbox: GitSandbox;
let frames: string[];
const sockets: WebSocket[] = [];

beforeAll(async () => {
  server = await GitServer.listen();
  server.tokens.add(WITH_REQUEST).add(STORED);
  sandbox = await GitSandbox.of(server);
  frames = [];
});
afterAll(async () => {
  for (const socket of sockets) socket.terminate();
  await server.close();
});

const FORMS = [WITH_REQUEST, STORED].flatMap(formsOf);

function expectWithout(what: string, text: string): void {
  expect([what, FORMS.filter((form) => text.includes(form))]).toEqual([what, []]);
}

/** A hook of the remote that says when a push has reached it, and lets it go on later. */
function holdPushes(name: string): { held: () => Promise<void>; release: () => void } {
  const [held, go] = ['held', 'go'].map((file) =>
    join(server.folder, `${name}-${file}-${randomBytes(4).toString('hex')}`),
  ) as [string, string];
  server.hook(`${name}.git`, `touch ${held}; while [ ! -e ${go} ]; do sleep 0.05; done`);
  return {
    held: async () => {
      for (const giveUpAt = Date.now() + 60_000; !existsSync(held);) {
        if (Date.now() > giveUpAt) throw new Error('No push has reached the remote.');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    release: () => writeFileSync(go, ''),
  };
}

function follow(operationId: string): void {
  const url = new URL('/v1/ws', runningStack().apiUrl);
  url.protocol = 'ws:';
  const socket = new WebSocket(url, { headers: secretHeader() });
  socket.on('open', () => {
    socket.send(JSON.stringify({ t: 'sub', id: 's', topic: `operation:${operationId}` }));
  });
  socket.on('message', (data: Buffer) => frames.push(data.toString()));
  socket.on('error', () => undefined);
  sockets.push(socket);
}

async function printed(command: string): Promise<string> {
  return (await output((await run(sandbox.id, { command })).id)).toString('latin1');
}

describe('the secret of a remote', () => {
  it('is seen by nobody in the sandbox while a push runs, and the push is done once though its worker is killed', async () => {
    await sandbox.project('killed', { credential: { secret: WITH_REQUEST } });
    const hold = holdPushes('killed');
    const credential = { secret: WITH_REQUEST, host: server.host };
    const asked = { path: 'killed', message: 'second', author: AUTHOR, credential };
    const { id } = await sandbox.git('commit-and-push', asked, 0);
    follow(id);
    await hold.held();
    const processes = await printed(EVERYTHING_OF_PROCESSES);
    expect(processes).toContain('git-remote-http');
    expectWithout('processes', processes);
    expect(await printed(LOOK_INTO_THE_PROGRAM)).toMatch(/^(head: [^\n]*Permission denied\n){4}$/);
    await killAndAwaitNew('worker');
    hold.release();
    expect(await sandbox.until(id, isIn('succeeded'))).toMatchObject({ result: { outcome: 'pushed' } });
    expect(server.log('killed.git')).toEqual(['second', 'first']);
  });

  it('is gone with a run that was killed in the sandbox and goes on with a retry, with one that is canceled, and with one that is given up', async () => {
    const credentialId = await sandbox.credential(STORED);
    await sandbox.project('ended', { credentialId });
    const hold = holdPushes('ended');
    const asked = { path: 'ended', message: 'second', author: AUTHOR, credentialId };
    const { id } = await sandbox.git('commit-and-push', asked, 0);
    follow(id);
    await hold.held();
    await run(sandbox.id, { command: 'pkill -9 berth-git' });
    const parked = await sandbox.until(id, isParkedAs(1));
    expect(parked).toMatchObject({ park: { failure: { code: 'git_failed' } } });
    hold.release();
    await sandbox.decide(id, 'retry', { step: 'push_branch', parkNo: 1 });
    await sandbox.until(id, isIn('succeeded'));
    expect(server.log('ended.git')).toEqual(['second', 'first']);

    const canceled = holdPushes('ended');
    await run(sandbox.id, { command: 'echo more > ended/new' });
    const other = await sandbox.git('commit-and-push', { ...asked, message: 'third' }, 0);
    await canceled.held();
    expect(await sandbox.decide(other.id, 'cancel', {})).toBe(202);
    expect(await sandbox.until(other.id, isIn('canceled'))).toMatchObject({
      result: { outcome: 'committed' },
    });
    expect(await printed('pgrep -c "git" || true')).toBe('0\n');
    canceled.release();
    server.hook('ended.git', undefined);

    const credential = { secret: WITH_REQUEST.toUpperCase(), host: server.host };
    const refused = await sandbox.git('push', { path: 'ended', credential });
    expect(refused.park?.failure.code).toBe('git_auth_failed');
    await sandbox.decide(refused.id, 'abort', { step: 'push_branch', parkNo: 1 });
    await sandbox.until(refused.id, isIn('canceled'));
  });

  it('is in no file of the sandbox, and in no container', async () => {
    const inside =
      'cat $(find /workspace /tmp /var/tmp /berth/spool /etc /home /root -type f) 2>/dev/null | cat -v';
    expectWithout('files', await asRootInside(sandbox.id, inside));
    expectWithout(
      'remotes',
      await printed('cd killed && git remote -v; git config --list; env; cat .git/config'),
    );
    expectWithout('container', JSON.stringify(await inspectionOf(sandbox.id)));
  });

  it('is in no answer and in no frame', () => {
    expect(sandbox.answers.length).toBeGreaterThan(10);
    expect(frames.length).toBeGreaterThan(2);
    expectWithout('answers', sandbox.answers.join('\n'));
    expectWithout('frames', frames.join('\n'));
  });

  it('is in the database sealed only, and with a request as long as its operation', async () => {
    const { databaseUrl } = runningStack();
    expect(await tablesWith(FORMS, databaseUrl)).toEqual([]);
    // What is written down is found: the owner is.
    expect(await tablesWith([sandbox.owner], databaseUrl)).toContain('credentials');
    expect(await credentialsLeft(databaseUrl, sandbox.owner)).toEqual([]);
  });

  it('is in no log, no history and no object, and nowhere on the disk of the database', async () => {
    const { stateDir } = runningStack();
    // The engine's own files are those of the container, which was looked at from inside.
    const places = readdirSync(stateDir).filter((name) => name !== 'docker' && name !== 'postgres-socket');
    expect(places).toEqual(expect.arrayContaining(['logs', 'postgres', 'minio']));
    // What is written down is found: the owner is.
    expect(
      new Set((await filesWith([sandbox.owner], stateDir, places)).map((file) => file.split('/')[0])),
    ).toContain('postgres');
    expect(await filesWith(FORMS, stateDir, places)).toEqual([]);
  });
});
