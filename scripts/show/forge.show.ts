import { randomUUID } from 'node:crypto';
import { buildGitea, Gitea } from './gitea.js';
import { expect, printed, sandboxBeside, type Stage } from './stage.js';

const REPOSITORY = 'project';
const BRANCH = 'topic';
const AUTHOR = { name: 'Somebody', email: 'somebody@berth.test' };

interface PullRequest {
  readonly number: number;
  readonly title: string;
  readonly head: { readonly ref: string; readonly sha: string };
}

/** A branch is pushed to a real forge, and a pull request for it is opened there once. */
export async function showForge(stage: Stage): Promise<void> {
  const { say } = stage;
  const built = buildGitea();
  say('Gitea is built');
  const gitea = await Gitea.start(built);
  try {
    await gitea.ask('POST', '/user/repos', { name: REPOSITORY, auto_init: true, default_branch: 'main' });
    say(`Gitea ${JSON.stringify(await gitea.ask('GET', '/version'))} runs, with a repository`);
    await openOnce(stage, gitea);
  } finally {
    await gitea.close();
  }
}

async function openOnce(stage: Stage, gitea: Gitea): Promise<void> {
  const { client, say } = stage;
  const sandboxId = await sandboxBeside(stage, `forge-${randomUUID().slice(0, 8)}`);
  const credential = { host: gitea.host, username: gitea.user, secret: gitea.token };
  await client.git(sandboxId, 'clone', { url: gitea.url(REPOSITORY), path: REPOSITORY, credential });
  await printed(stage, sandboxId, `cd ${REPOSITORY} && git switch -q -c ${BRANCH} && echo change > change`);
  const change = { path: REPOSITORY, message: 'Change something', author: AUTHOR, credential };
  const pushed = await client.git(sandboxId, 'commit-and-push', { ...change, branch: BRANCH });
  expect('outcome of the push', pushed?.['outcome'], 'pushed');
  say('cloned, committed and pushed a branch');
  const asked = {
    path: REPOSITORY,
    title: 'A change',
    body: 'Why not.',
    base: 'main',
    head: BRANCH,
    credential,
  };
  const opened = await client.git(sandboxId, 'pull-requests', asked);
  expect('outcome of the first request', opened?.['outcome'], 'opened');
  const again = await client.git(sandboxId, 'pull-requests', asked);
  expect('outcome of the second request', again?.['outcome'], 'already_open');
  expect('its number', again?.['number'], opened?.['number']);
  const path = `/repos/${gitea.user}/${REPOSITORY}/pulls?state=all`;
  const there = (await gitea.ask('GET', path)) as readonly PullRequest[];
  expect(
    'pull requests at the forge',
    there.map(({ title, head }) => [title, head.ref, head.sha]),
    [['A change', BRANCH, pushed?.['commit']]],
  );
  say(`the forge has one pull request, #${there[0]?.number}, for ${there[0]?.head.sha.slice(0, 12)}`);
  await client.change('DELETE', sandboxId);
}
