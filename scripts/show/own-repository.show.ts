import { randomBytes, randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GitServer, gitOf } from '../../test/git/git-server.js';
import { berth, expect, printed, sandboxBeside, type Stage } from './stage.js';

const REPOSITORY = 'own.git';
const CLONE = 'own';
const TOOLS = 'tools';
const AUTHOR = { name: 'Somebody', email: 'somebody@berth.test' };
/** The sandbox reaches no registry, so what npm has installed here goes in beside the clone. */
const TAKE_TOOLS = `cd ${CLONE} && mv ../${TOOLS}/node_modules . && ../${TOOLS}/node --version`;
const RUN_TESTS = `cd ${CLONE} && PATH=/workspace/${TOOLS}:$PATH NODE_OPTIONS=--experimental-vm-modules node node_modules/jest/bin/jest.js --selectProjects unit 2>&1 | tail -n 40; exit \${PIPESTATUS:-0}`;
const SUMMARY = /^Tests: .*$/m;

/** This repository in a sandbox: cloned, tested, changed, committed and pushed. */
export async function showOwnRepository(stage: Stage): Promise<void> {
  const { client, root, say } = stage;
  const server = await GitServer.listen();
  try {
    gitOf('.', 'clone', '-q', '--bare', '--no-local', root, join(server.folder, REPOSITORY));
    const bare = join(server.folder, REPOSITORY);
    gitOf(bare, 'config', 'http.receivepack', 'true');
    gitOf(bare, 'update-ref', 'refs/heads/main', 'HEAD');
    gitOf(bare, 'symbolic-ref', 'HEAD', 'refs/heads/main');
    const before = server.log(REPOSITORY).length;
    say(`the server has ${before} commits`);
    const secret = randomBytes(16).toString('hex');
    server.tokens.add(secret);
    const sandboxId = await sandboxBeside(stage, `own-${randomUUID().slice(0, 8)}`);
    const credential = { host: server.host, secret };
    await client.git(sandboxId, 'clone', { url: server.url(REPOSITORY), path: CLONE, credential });
    expect(
      'commits of the clone',
      await printed(stage, sandboxId, `git -C ${CLONE} rev-list --count HEAD`),
      `${before}\n`,
    );
    say('cloned');
    await carryTools(stage, sandboxId);
    const written = await printed(stage, sandboxId, RUN_TESTS);
    const summary = SUMMARY.exec(written)?.[0] ?? '';
    say(summary);
    if (!/ passed/.test(summary) || / failed/.test(summary)) throw new Error(written);
    const message = `Shown at ${new Date().toISOString()}`;
    await printed(stage, sandboxId, `echo '${message}' > ${CLONE}/shown.txt`);
    const done = await client.git(sandboxId, 'commit-and-push', {
      path: CLONE,
      message,
      author: AUTHOR,
      credential,
    });
    expect('outcome', done?.['outcome'], 'pushed');
    expect('the newest commit of the server', server.log(REPOSITORY)[0], message);
    expect('commits of the server', server.log(REPOSITORY).length, before + 1);
    expect('what it changed', gitOf(bare, 'diff', '--name-only', 'main~', 'main'), 'shown.txt');
    say(`pushed, and git log on the server shows ${server.tip(REPOSITORY).slice(0, 12)} ${message}`);
    await client.change('DELETE', sandboxId);
  } finally {
    await server.close();
  }
}

async function carryTools(stage: Stage, sandboxId: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-tools-'));
  try {
    cpSync(process.execPath, join(folder, 'node'));
    await berth(stage, 'cp', folder, `${sandboxId}:${TOOLS}`);
    stage.say('node copied');
    await berth(stage, 'cp', join(stage.root, 'node_modules'), `${sandboxId}:${TOOLS}/node_modules`);
    stage.say(`node_modules copied; node is ${(await printed(stage, sandboxId, TAKE_TOOLS)).trim()}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
