import { Command, CommanderError } from 'commander';
import { ApiError } from './api/api-client.js';
import { addBulkCommands } from './commands/bulk.command.js';
import { addCopyCommand } from './commands/copy.command.js';
import { addCredentialCommands } from './commands/credential.command.js';
import { addDoctorCommand } from './commands/doctor.command.js';
import { addExecCommands } from './commands/exec.command.js';
import { addGitCommands } from './commands/git.command.js';
import { addOperationCommands } from './commands/operation.command.js';
import { addSandboxCommands } from './commands/sandbox.command.js';
import { addSnapshotCommands } from './commands/snapshot.command.js';
import { Session, type GlobalFlags, type Process } from './commands/session.js';
import { EXIT_BERTH_FAILED, EXIT_OUTPUT_CLOSED } from './exec/exit-code.js';
import { CliError } from './terminal/cli-error.js';
import { OutputClosedError } from './terminal/terminal.js';

const EXIT_USAGE = 2;
const EXIT_FAILED = 1;

const EXAMPLES = `
Examples:
  berth exec -- echo hello
  berth exec --owner u1 --detach -- ./nightly.sh
  berth sandbox ls
  berth cp data.csv SANDBOX:data.csv
  berth op watch ID
  berth bulk restart --owner u1 --watch
  berth doctor

The API and its admin secret are found by --url and --admin-secret, by BERTH_URL and BERTH_ADMIN_SECRET,
or in the .berth folder that \`npm start\` keeps in this folder or above it.`;

/** Runs one command line, without `node` and the program's name, and returns the exit code. */
export async function run(argv: readonly string[], process: Process): Promise<number> {
  // What follows `--` belongs to the remote command, even where it looks like a command of ours (`-- ls`).
  const end = argv.indexOf('--');
  const own = withJsonFirst(end < 0 ? argv : argv.slice(0, end));
  const remote = end < 0 ? [] : argv.slice(end + 1);
  const program = new Command();
  const session = new Session(process, remote, () => program.opts<GlobalFlags>());
  configure(program, process);
  addExecCommands(program, session);
  addSandboxCommands(program, session);
  addSnapshotCommands(program, session);
  addOperationCommands(program, session);
  addBulkCommands(program, session);
  addCopyCommand(program, session);
  addGitCommands(program, session);
  addCredentialCommands(program, session);
  addDoctorCommand(program, session);
  try {
    await program.parseAsync([...own], { from: 'user' });
    return session.exitCode;
  } catch (error) {
    return exitOfFailure(error, process, {
      isExec: own.includes('exec'),
      json: program.opts<GlobalFlags>().json === true,
    });
  }
}

/** `--json` is meant for all of the command line, wherever it stands in it. */
function withJsonFirst(argv: readonly string[]): string[] {
  const rest = argv.filter((argument) => argument !== '--json');
  return rest.length < argv.length ? ['--json', ...rest] : rest;
}

function configure(program: Command, process: Process): void {
  program
    .name('berth')
    .description('Runs commands in sandboxes, and shows what runs.')
    // What stands after a command belongs to it, also where one above it has an option of that name.
    .enablePositionalOptions()
    .option('--json', 'print whole resources as JSON; may stand anywhere before `--`')
    .option('--url <address>', 'the address of the API')
    .option(
      '--admin-secret <secret>',
      'the admin secret (visible to other users of this machine: prefer the environment)',
    )
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError('(--help shows the options and examples)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => process.out.write(text),
      writeErr: (text) => process.err.write(text),
    });
}

function exitOfFailure(error: unknown, process: Process, how: { isExec: boolean; json: boolean }): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (error instanceof OutputClosedError) return EXIT_OUTPUT_CLOSED;
  if (!(error instanceof CliError)) throw error;
  process.err.write(how.json ? `${JSON.stringify({ error: jsonOf(error) })}\n` : textOf(error));
  return how.isExec ? EXIT_BERTH_FAILED : EXIT_FAILED;
}

function jsonOf(error: CliError): Record<string, unknown> {
  const problem = error instanceof ApiError ? error.problem : {};
  return { ...problem, message: error.message, advice: error.advice ?? null };
}

function textOf(error: CliError): string {
  return `berth: ${error.message}\n${error.advice === undefined ? '' : `       ${error.advice}\n`}`;
}
