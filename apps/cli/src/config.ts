import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { CliError } from './terminal/cli-error.js';

const STATE_DIRECTORY = '.berth';

const RunFile = z.object({ apiUrl: z.url() });
const SecretsFile = z.object({ adminSecret: z.string().min(1) });

export interface CliConfig {
  /** Without a trailing slash. */
  readonly url: string;
  readonly adminSecret: string;
}

export interface ConfigFlags {
  readonly url?: string | undefined;
  readonly adminSecret?: string | undefined;
}

/** Flags win over the environment, and that over the state folder that `npm start` keeps in or above `from`. */
export function readConfig(
  flags: ConfigFlags = {},
  from: string = process.cwd(),
  environment: NodeJS.ProcessEnv = process.env,
): CliConfig {
  const stateDirectory = environment['BERTH_STATE_DIR'] ?? findUpwards(from);
  const url = flags.url ?? environment['BERTH_URL'] ?? fromFile(stateDirectory, 'run.json', RunFile)?.apiUrl;
  const adminSecret =
    flags.adminSecret ??
    environment['BERTH_ADMIN_SECRET'] ??
    fromFile(stateDirectory, 'secrets.json', SecretsFile)?.adminSecret;
  if (url === undefined) throw missing('the address of the API', '--url or BERTH_URL');
  if (adminSecret === undefined) throw missing('the admin secret', '--admin-secret or BERTH_ADMIN_SECRET');
  if (!/^https?:\/\//.test(url))
    throw new CliError(`${url} is not an http address.`, 'Give one like http://127.0.0.1:3000.');
  return { url: url.replace(/\/+$/, ''), adminSecret };
}

/** Whose sandbox is meant where no owner is given: the person at this terminal. */
export function defaultOwner(environment: NodeJS.ProcessEnv = process.env): string {
  return environment['BERTH_OWNER'] ?? userInfo().username;
}

function findUpwards(from: string): string | undefined {
  const candidate = path.join(from, STATE_DIRECTORY);
  if (existsSync(path.join(candidate, 'run.json'))) return candidate;
  const parent = path.dirname(from);
  return parent === from ? undefined : findUpwards(parent);
}

function fromFile<T>(directory: string | undefined, name: string, schema: z.ZodType<T>): T | undefined {
  if (directory === undefined) return undefined;
  const file = path.join(directory, name);
  if (!existsSync(file)) return undefined;
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    // The file may hold secrets, so what stands in it is not shown.
    throw new CliError(
      `${file} cannot be used.`,
      'Start Berth again with `npm start`: it writes the file anew.',
      { cause: error },
    );
  }
}

function missing(what: string, how: string): CliError {
  return new CliError(
    `No ${what.replace(/^the /, '')} is known.`,
    `Run \`npm start\` in this checkout, or give ${what} by ${how}.`,
  );
}
