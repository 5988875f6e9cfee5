import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { ExecSchema, pageOf, type ExecResource } from '../api/resources.js';
import { execPath } from '../exec/exec-path.js';
import { execBodyOf, type ExecOptions } from '../exec/exec-request.js';
import { followExec, startExec } from '../exec/run-exec.js';
import { verifyExec } from '../exec/verify-exec.js';
import { withStdin } from '../input/with-stdin.js';
import { CliError } from '../terminal/cli-error.js';
import { show, tableOf, write } from '../terminal/terminal.js';
import { addExecInputCommands, attachTo } from './exec-input.commands.js';
import { collect, wholeNumber } from './option-values.js';
import type { Session } from './session.js';

const EXAMPLES = `
Examples:
  berth exec -- echo hello                        in your own default sandbox, started if need be
  berth exec --owner u1 --timeout 600 -- make -j4 in the default sandbox of u1
  berth exec -c 'ls | wc -l'                      a command line for sh -c
  berth exec -it -- bash                          a terminal; Ctrl+] leaves it, \`exec attach\` comes back
  berth exec -i -- sha256sum < file               standard input, each byte once
  berth exec --detach -- ./nightly.sh             prints the id and returns
  berth exec output ID --follow                   every byte of it, from the first one on

Exit codes: that of the remote command; 128+n when signal n ended it; 123 output limited, 124 timed out,
125 lost, 126 not started, 127 not found, 130 canceled, 137 out of memory, 141 when nobody reads the output,
255 when berth itself failed.
Ctrl+C cancels the exec and waits for its end; a second Ctrl+C stops watching it. In a terminal all keys but
Ctrl+] go to the command.
When nobody reads its output any more, as in \`| head\`, the exec is canceled.`;

export function addExecCommands(program: Command, session: Session): void {
  const exec: Command = program
    .command('exec')
    .summary('run a command in a sandbox, stream it and exit as it did')
    .description('Runs what stands after `--` in a sandbox, streams its output and exits as it did.')
    .usage('[options] -- COMMAND [ARGUMENT…]')
    .enablePositionalOptions()
    .hook('preSubcommand', (_, subcommand) => refuseOwnOptions(exec, subcommand.name()))
    .option('-s, --sandbox <id>', 'the sandbox by its id')
    .option('-o, --owner <name>', 'the owner of the sandbox (default: BERTH_OWNER, or you)')
    .option('-n, --name <name>', 'the name of the sandbox (default: "default")')
    .option('-c, --command <line>', 'a command line for `sh -c` instead of a program after `--`')
    .option('-i, --interactive', 'give it what this command reads as its standard input')
    .option('-t, --tty', 'give it a terminal; with -i the keys of this one')
    .option('--detach-key <key>', 'leaves a terminal to itself: ctrl-] unless given, or none')
    .option('-u, --user <user>', 'the user, or user:group, that it runs as')
    .option('--timeout <seconds>', 'end it after this time', wholeNumber)
    .option('--idle-timeout <seconds>', 'end it after this time without output and input', wholeNumber)
    .option('--queue-timeout <seconds>', 'give up waiting for its turn after this time', wholeNumber)
    .option('--output-max <bytes>', 'end it when it has written more than this', wholeNumber)
    .option('--allow-background', 'let its descendants outlive it')
    .option('-e, --env <name=value>', 'a variable of its environment; may be repeated', collect, [])
    .option('-w, --cwd <directory>', 'its working directory in the sandbox')
    .option('-d, --detach', 'print its id and return at once')
    .addHelpText('after', EXAMPLES)
    .action(async (options: ExecOptions) => await runExec(session, options));

  exec
    .command('ls')
    .description('Lists execs, the newest first.')
    .option('-s, --sandbox <id>', 'only of this sandbox')
    .option('-o, --owner <name>', 'only of this owner')
    .option('--state <state>', 'only in this state')
    .option('--search <words>', 'only with these words in its command, its labels or the end of its output')
    .option('--limit <count>', 'at most so many', wholeNumber, 50)
    .action(async (options: ListOptions) => await listExecs(session, options));
  exec
    .command('get')
    .description('Shows one exec.')
    .argument('<id>')
    .action(async (id: string) => await showExec(session, await session.api().get(execPath(id), ExecSchema)));
  exec
    .command('output')
    .description('Writes the output of an exec to stdout, exactly as it was written.')
    .argument('<id>')
    .option('--stream <stream>', 'stdout or stderr; with --follow both unless given')
    .option('--from <byte>', 'from this byte of the stream on', wholeNumber)
    .option('-f, --follow', 'go on until the exec has ended')
    .action(async (id: string, options: OutputOptions) => await outputOf(session, id, options));
  exec
    .command('verify')
    .description(
      'Reads everything that is stored of an exec and recomputes its hashes; exits 1 if it is damaged.',
    )
    .argument('<id>')
    .action(async (id: string) => {
      session.exitWith(await verifyExec(session.api(), session.terminal(), id));
    });
  exec
    .command('cancel')
    .description('Ends an exec with all of its processes.')
    .argument('<id>')
    .action(async (id: string) => {
      await showExec(session, await session.api().post(`${execPath(id)}/cancel`, undefined, ExecSchema));
    });
  addExecInputCommands(exec, session);
}

interface ListOptions {
  readonly sandbox?: string;
  readonly owner?: string;
  readonly state?: string;
  readonly search?: string;
  readonly limit: number;
}

interface OutputOptions {
  readonly stream?: string;
  readonly from?: number;
  readonly follow?: boolean;
}

/** `berth exec -s ID ls` is more likely a forgotten `--` than a list. */
function refuseOwnOptions(exec: Command, subcommand: string): void {
  const given = Object.keys(exec.opts()).filter((name) => exec.getOptionValueSource(name) === 'cli');
  if (given.length === 0) return;
  throw new CliError(
    `--${given[0]} does not go before \`${subcommand}\`.`,
    `To run \`${subcommand}\` in a sandbox put it after \`--\`; otherwise put the options after it.`,
  );
}

async function runExec(session: Session, options: ExecOptions): Promise<void> {
  // What is wrong with the command line is said before a sandbox is started for it.
  execBodyOf(options, session.remoteArgv);
  const context = session.execContext();
  const created = await startExec(context, options, session.remoteArgv);
  if (options.detach === true) {
    await show(session.terminal(), created, () => [created.id]);
    return;
  }
  const exitCode = await runAttended(session, created.id, options);
  if (session.terminal().json) {
    // Output of the command goes to stdout as it came; the resource follows on stderr, so that both can be told apart.
    const ended = await session.api().get(execPath(created.id), ExecSchema);
    await write(session.terminal().err, `${JSON.stringify(ended)}\n`);
  }
  session.exitWith(exitCode);
}

async function runAttended(session: Session, id: string, options: ExecOptions): Promise<number> {
  if (options.tty) return await attachTo(session, id, options.interactive === true, options.detachKey);
  const context = session.execContext();
  if (!options.interactive) return await followExec(context, id, 'cancel');
  return await withStdin(context, id, () => followExec(context, id, 'cancel'));
}

async function listExecs(session: Session, options: ListOptions): Promise<void> {
  const query = new URLSearchParams({ limit: String(options.limit) });
  if (options.sandbox !== undefined) query.set('sandboxId', options.sandbox);
  if (options.owner !== undefined) query.set('owner', options.owner);
  if (options.state !== undefined) query.set('state', options.state);
  if (options.search !== undefined) query.set('q', options.search);
  const page = await session.api().get(`/v1/execs?${query.toString()}`, pageOf(ExecSchema));
  await show(session.terminal(), page, () =>
    tableOf(
      ['ID', 'STATE', 'EXIT', 'CREATED', 'COMMAND'],
      page.items.map((one) => [one.id, one.state, exitText(one), one.createdAt, commandText(one)]),
    ),
  );
}

async function showExec(session: Session, exec: ExecResource): Promise<void> {
  await show(session.terminal(), exec, () => [
    `exec      ${exec.id}`,
    `sandbox   ${exec.sandboxId}`,
    `command   ${commandText(exec)}`,
    `state     ${exec.state}`,
    `exit      ${exitText(exec)}`,
    `created   ${exec.createdAt}`,
    `finished  ${exec.finishedAt ?? '-'}`,
    ...(exec.failure ? [`failure   ${exec.failure.message} (${exec.failure.code})`] : []),
  ]);
}

async function outputOf(session: Session, id: string, options: OutputOptions): Promise<void> {
  const terminal = session.terminal();
  if (options.follow === true && options.stream === undefined && options.from === undefined) {
    session.exitWith(await followExec(session.execContext(), id, 'detach'));
    return;
  }
  const query = new URLSearchParams({ stream: options.stream ?? 'stdout', from: String(options.from ?? 0) });
  if (options.follow === true) query.set('follow', '1');
  const body = await session
    .api()
    .download(`${execPath(id)}/output?${query.toString()}`, new AbortController().signal);
  for await (const bytes of Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0])) {
    await write(terminal.out, bytes as Uint8Array);
  }
}

function exitText(exec: ExecResource): string {
  return exec.signal ?? (exec.exitCode === null ? '-' : String(exec.exitCode));
}

function commandText(exec: ExecResource): string {
  const argv = exec['argv'];
  return Array.isArray(argv) ? argv.join(' ').replaceAll(/\s+/g, ' ').slice(0, 80) : '-';
}
