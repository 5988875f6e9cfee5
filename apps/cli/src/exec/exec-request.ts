import { nameValuesOf } from '../commands/option-values.js';
import type { Size } from '../terminal/local-terminal.js';
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
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly detachKey?: string;
  readonly user?: string;
  readonly idleTimeout?: number;
  readonly queueTimeout?: number;
  readonly outputMax?: number;
  readonly allowBackground?: boolean;
}

/** The body of POST /v1/sandboxes/{id}/execs. */
export interface ExecBody {
  readonly argv?: readonly string[];
  readonly command?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  readonly timeoutSeconds?: number;
  readonly idleTimeoutSeconds?: number;
  readonly queueTimeoutSeconds?: number;
  readonly outputBytesMax?: number;
  readonly allowBackground?: boolean;
  readonly user?: string;
  readonly stdin?: { readonly kind: 'open' };
  readonly tty?: Size;
}

/** Of a terminal that nobody has measured. */
const SIZE_DEFAULT: Size = { columns: 80, rows: 24 };

const HOW = 'For example: berth exec -- echo hello';

/** Translates the command line; `argv` is what stands after `--`, `size` that of the terminal here. */
export function execBodyOf(options: ExecOptions, argv: readonly string[], size?: Size): ExecBody {
  if (options.command === undefined && argv.length === 0) {
    throw new CliError('No command is given: put it after `--`.', HOW);
  }
  if (options.command !== undefined && argv.length > 0) {
    throw new CliError('Two commands are given: one by --command and one after `--`.', HOW);
  }
  const env = nameValuesOf('--env', options.env, HOW);
  return {
    ...(options.command === undefined ? { argv } : { command: options.command }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    ...(options.cwd === undefined ? {} : { workingDirectory: options.cwd }),
    ...limitsOf(options),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.tty ? { tty: size ?? SIZE_DEFAULT } : {}),
    ...(options.interactive && !options.tty ? { stdin: { kind: 'open' } } : {}),
  };
}

function limitsOf(options: ExecOptions): Partial<ExecBody> {
  const limits = {
    timeoutSeconds: options.timeout,
    idleTimeoutSeconds: options.idleTimeout,
    queueTimeoutSeconds: options.queueTimeout,
    outputBytesMax: options.outputMax,
    allowBackground: options.allowBackground,
  };
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}

/** Refuses a choice that contradicts itself, instead of preferring one half silently. */
export function checkTarget(options: ExecOptions): void {
  if (options.sandbox !== undefined && (options.owner !== undefined || options.name !== undefined)) {
    throw new CliError('--sandbox names one sandbox already; --owner and --name do not go with it.');
  }
}
