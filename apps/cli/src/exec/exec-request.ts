import { CliError } from '../terminal/cli-error.js';

/** The options of `berth exec` as commander gives them. */
export interface ExecOptions {
  readonly sandbox?: string;
  readonly owner?: string;
  readonly name?: string;
  readonly command?: string;
  readonly timeout?: number;
  readonly env: readonly string[];
  readonly cwd?: string;
  readonly detach?: boolean;
}

/** The body of POST /v1/sandboxes/{id}/execs. */
export interface ExecBody {
  readonly argv?: readonly string[];
  readonly command?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  readonly timeoutSeconds?: number;
}

const HOW = 'For example: berth exec -- echo hello';

/** Translates the command line; `argv` is what stands after `--`. */
export function execBodyOf(options: ExecOptions, argv: readonly string[]): ExecBody {
  if (options.command === undefined && argv.length === 0) {
    throw new CliError('No command is given: put it after `--`.', HOW);
  }
  if (options.command !== undefined && argv.length > 0) {
    throw new CliError('Two commands are given: one by --command and one after `--`.', HOW);
  }
  const env = environmentOf(options.env);
  return {
    ...(options.command === undefined ? { argv } : { command: options.command }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    ...(options.cwd === undefined ? {} : { workingDirectory: options.cwd }),
    ...(options.timeout === undefined ? {} : { timeoutSeconds: options.timeout }),
  };
}

function environmentOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new CliError(`--env ${pair} is not of the form NAME=VALUE.`, HOW);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** Refuses a choice that contradicts itself, instead of preferring one half silently. */
export function checkTarget(options: ExecOptions): void {
  if (options.sandbox !== undefined && (options.owner !== undefined || options.name !== undefined)) {
    throw new CliError('--sandbox names one sandbox already; --owner and --name do not go with it.');
  }
}
