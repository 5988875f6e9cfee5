import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { CredentialSchema, pageOf, type CredentialResource } from '../api/resources.js';
import { defaultOwner } from '../config.js';
import { CliError } from '../terminal/cli-error.js';
import { show, tableOf } from '../terminal/terminal.js';
import type { Session } from './session.js';

const EXAMPLES = `
Examples:
  berth credential add --host git.example.org --secret-file token.txt
  berth credential ls --owner u1
  berth credential rm ID

A secret is read from a file and never from the command line, which others on this machine can see. It is never shown.`;

interface AddOptions {
  readonly owner?: string;
  readonly host: string;
  readonly username?: string;
  readonly secretFile: string;
}

export function addCredentialCommands(program: Command, session: Session): void {
  const credential = program
    .command('credential')
    .description('Stores, lists and deletes what remote hosts know you by.')
    .addHelpText('after', EXAMPLES);
  credential
    .command('add')
    .description('Stores one.')
    .requiredOption('--host <host>', 'the host it is for, with its port where that is not 443')
    .requiredOption('--secret-file <path>', 'the file that holds the token or password')
    .option('--username <name>', 'by default `git`, which is enough with a token')
    .option('-o, --owner <name>', 'whose it is (default: BERTH_OWNER, or you)')
    .action(async ({ owner = defaultOwner(), host, username, secretFile }: AddOptions) => {
      const secret = await secretIn(secretFile);
      const body = { owner, host, username, secret };
      await showOne(session, await session.api().post('/v1/credentials', body, CredentialSchema));
    });
  credential
    .command('ls')
    .description('Lists them.')
    .option('-o, --owner <name>', 'only of this owner')
    .action(async (options: { owner?: string }) => {
      const query = options.owner === undefined ? '' : `?owner=${encodeURIComponent(options.owner)}`;
      const page = await session.api().get(`/v1/credentials${query}`, pageOf(CredentialSchema));
      await show(session.terminal(), page, () =>
        tableOf(
          ['ID', 'OWNER', 'HOST', 'USERNAME', 'CREATED'],
          page.items.map((one) => [one.id, one.owner, one.host, one.username, one.createdAt]),
        ),
      );
    });
  credential
    .command('get')
    .description('Shows one, without its secret.')
    .argument('<id>')
    .action(
      async (id: string) => await showOne(session, await session.api().get(pathOf(id), CredentialSchema)),
    );
  credential
    .command('rm')
    .description('Deletes one.')
    .argument('<id>')
    .action(
      async (id: string) => await showOne(session, await session.api().delete(pathOf(id), CredentialSchema)),
    );
}

const pathOf = (id: string): string => `/v1/credentials/${encodeURIComponent(id)}`;

async function secretIn(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw new CliError(`The file with the secret cannot be read: ${path}.`, undefined, { cause: error });
  }
}

async function showOne(session: Session, credential: CredentialResource): Promise<void> {
  await show(session.terminal(), credential, () => [
    `credential  ${credential.id}`,
    `owner       ${credential.owner}`,
    `host        ${credential.host}`,
    `username    ${credential.username}`,
    `created     ${credential.createdAt}`,
  ]);
}
