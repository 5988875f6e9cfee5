import type { Command } from 'commander';
import {
  BranchesSchema,
  BranchSchema,
  DiffSchema,
  LogSchema,
  OperationSchema,
  StatusSchema,
} from '../api/resources.js';
import { show, tableOf } from '../terminal/terminal.js';
import { watchOperation } from './operation.command.js';
import type { Session } from './session.js';

const SHORT_COMMIT = 10;

const EXAMPLES = `
Examples:
  berth git clone https://git.example.org/team/project.git project --sandbox ID --credential ID
  berth git status project --sandbox ID
  berth git commit-and-push project --sandbox ID -m "Say hello" --credential ID
  berth op retry OPERATION --credential ID     when a push was parked

Paths are of working trees in the sandbox, absolute or in its workspace. Credentials: berth credential --help.`;

interface Options {
  readonly sandbox: string;
  readonly detach?: boolean;
  readonly credential?: string;
  readonly message?: string;
  readonly authorName?: string;
  readonly authorEmail?: string;
  readonly paths?: readonly string[];
  readonly ref?: string;
  readonly depth?: string;
  readonly timeout?: string;
  readonly branch?: string;
  readonly setUpstream?: boolean;
  readonly forceWithLease?: string | boolean;
}

interface BranchesOptions extends Options {
  readonly create?: string;
  readonly from?: string;
  readonly switch?: string;
  readonly cursor?: string;
}

interface PullRequestOptions extends Options {
  readonly title: string;
  readonly base: string;
  readonly body?: string;
  readonly head?: string;
  readonly forge?: string;
}

export function addGitCommands(program: Command, session: Session): void {
  const git = program
    .command('git')
    .description('Clones, commits, pushes and looks at repositories in a sandbox.')
    .addHelpText('after', EXAMPLES);
  addOperations(git, session);
  addLooks(git, session);
}

function addOperations(git: Command, session: Session): void {
  const clone = command(git, 'clone', 'Clones a repository, as a whole or not at all.', '<url> <path>')
    .option('--ref <name>', 'a branch or a tag')
    .option('--depth <commits>', 'only so many commits of the history')
    .action(async (url: string, path: string, options: Options) => {
      const { ref, depth } = options;
      const body = { url, path, ref, depth: numberOf(depth) };
      await operate(session, 'clone', options, body);
    });
  const commit = command(git, 'commit', 'Commits what has changed, once.');
  const push = command(git, 'push', 'Pushes a branch, once.');
  const pull = command(git, 'pull', 'Brings the branch straight ahead to where the remote is.');
  const both = command(git, 'commit-and-push', 'Commits and pushes as one run.');
  for (const one of [commit, both]) addCommitOptions(one);
  for (const one of [push, both]) addPushOptions(one);
  const open = command(git, 'open-pull-request', 'Opens a pull request, unless the same is open.')
    .requiredOption('--title <text>', 'its title')
    .requiredOption('--base <branch>', 'what it is to be merged into')
    .option('--body <text>', 'its text')
    .option('--head <branch>', 'by default the branch that is checked out')
    .option('--forge <kind>', 'github or gitea, which Forgejo speaks, too')
    .action(async (path: string, options: PullRequestOptions) => {
      const { title, base, body, head, forge } = options;
      await operate(session, 'pull-requests', options, { path, title, base, body, head, forge });
    });
  for (const one of [clone, push, pull, both, open])
    one.option('--credential <id>', 'what the remote knows you by');
  for (const one of [push, pull, both]) one.option('--branch <name>', 'another one than is checked out');
  for (const one of [clone, commit, push, pull, both, open]) {
    one.option('--timeout <seconds>', 'how long one try may take, by default an hour');
    one.option('-d, --detach', 'print the operation and do not follow it');
  }
  for (const one of [commit, push, pull, both]) {
    one.action(async (path: string, options: Options) => {
      await operate(session, one.name(), options, { path, ...changesOf(options) });
    });
  }
}

function command(git: Command, name: string, description: string, parameters = '<path>'): Command {
  const made = git.command(name).description(description);
  for (const parameter of parameters.split(' ')) made.argument(parameter);
  return made.requiredOption('-s, --sandbox <id>', 'the sandbox');
}

function addCommitOptions(commit: Command): void {
  commit
    .requiredOption('-m, --message <text>', 'the message of the commit')
    .option('--author-name <name>', 'by default whom the repository names')
    .option('--author-email <address>')
    .option('--paths <path...>', 'only these, in the working tree');
}

function addPushOptions(push: Command): void {
  push
    .option('--set-upstream', 'the branch follows the one that was pushed')
    .option(
      '--force-with-lease [commit]',
      'replace this commit of the remote, by default the one last seen there',
    );
}

function changesOf(options: Options): object {
  const {
    message,
    authorName: name,
    authorEmail: email,
    paths,
    branch,
    setUpstream,
    forceWithLease,
  } = options;
  return {
    message,
    paths,
    branch,
    setUpstream,
    ...(name === undefined && email === undefined ? {} : { author: { name, email } }),
    ...(forceWithLease === undefined ? {} : { force: 'with-lease' }),
    ...(typeof forceWithLease === 'string' ? { expectedOld: forceWithLease } : {}),
  };
}

const numberOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);

const pathOf = (sandbox: string, what: string): string =>
  `/v1/sandboxes/${encodeURIComponent(sandbox)}/git/${what}`;

async function operate(session: Session, what: string, options: Options, body: object): Promise<void> {
  const asked = { ...body, credentialId: options.credential, timeoutSeconds: numberOf(options.timeout) };
  const operation = await session.api().post(pathOf(options.sandbox, what), asked, OperationSchema);
  if (options.detach !== true) {
    await watchOperation(session, operation.id);
    return;
  }
  await show(session.terminal(), operation, () => [`operation   ${operation.id} (berth op watch)`]);
}

function addLooks(git: Command, session: Session): void {
  command(git, 'status', 'Shows what has changed in a working tree.').action(
    async (path: string, { sandbox }: Options) => {
      const query = new URLSearchParams({ path }).toString();
      const seen = await session.api().get(`${pathOf(sandbox, 'status')}?${query}`, StatusSchema);
      await show(session.terminal(), seen, () => [
        `branch      ${seen.branch}${seen.upstream === '' ? '' : `  ahead ${seen.ahead}, behind ${seen.behind}`}`,
        ...seen.files.map((file) => `${file.index}${file.tree}  ${file.path}`),
        ...(seen.truncated ? ['… and more'] : []),
      ]);
    },
  );
  command(git, 'diff', 'Shows the difference as text.')
    .option('--staged', 'of what is staged')
    .action(async (path: string, { sandbox, staged }: Options & { staged?: boolean }) => {
      const query = new URLSearchParams({ path, ...(staged === true ? { staged: 'true' } : {}) }).toString();
      const seen = await session.api().get(`${pathOf(sandbox, 'diff')}?${query}`, DiffSchema);
      await show(session.terminal(), seen, () => [
        seen.diff.trimEnd(),
        ...(seen.truncated ? ['… and more'] : []),
      ]);
    });
  command(git, 'log', 'Shows the history, newest first.')
    .option('--ref <name>', 'of this branch or commit')
    .option('-n, --limit <commits>', 'so many')
    .action(async (path: string, { sandbox, ref, limit }: Options & { limit?: string }) => {
      const query = new URLSearchParams({ path, ...(ref ? { ref } : {}), ...(limit ? { limit } : {}) });
      const seen = await session.api().get(`${pathOf(sandbox, 'log')}?${query.toString()}`, LogSchema);
      await show(session.terminal(), seen, () =>
        seen.commits.map(
          (one) => `${one.commit.slice(0, SHORT_COMMIT)}  ${one.at}  ${one.author.name}  ${one.subject}`,
        ),
      );
    });
  addBranches(git, session);
}

function addBranches(git: Command, session: Session): void {
  command(git, 'branches', 'Lists the branches, or makes one or goes to one.')
    .option('--create <name>', 'make a branch')
    .option('--from <commit>', 'with --create: where it begins')
    .option('--switch <name>', 'go to a branch')
    .option('--cursor <cursor>', 'the next page, as the one before says it')
    .action(async (path: string, options: BranchesOptions) => {
      const { create, from, cursor } = options;
      const address = pathOf(options.sandbox, 'branches');
      if (create !== undefined) {
        const goes = options.switch === create;
        await session
          .api()
          .post(address, { path, branch: create, create: true, from, switch: goes }, BranchSchema);
      }
      if (options.switch !== undefined && options.switch !== create) {
        await session.api().post(address, { path, branch: options.switch, switch: true }, BranchSchema);
      }
      const query = new URLSearchParams({ path, ...(cursor === undefined ? {} : { cursor }) }).toString();
      const seen = await session.api().get(`${address}?${query}`, BranchesSchema);
      await show(session.terminal(), seen, () => [
        ...tableOf(
          ['', 'BRANCH', 'COMMIT', 'FOLLOWS'],
          seen.branches.map((one) => [
            one.current ? '*' : '',
            one.name,
            one.commit.slice(0, SHORT_COMMIT),
            one.upstream ?? '',
          ]),
        ),
        ...(seen.nextCursor === null ? [] : [`more: --cursor ${seen.nextCursor}`]),
      ]);
    });
}
