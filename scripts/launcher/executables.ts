import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runTool } from './tool.js';
import { SetupProblem } from './setup-problem.js';

const GO_VERSION_MIN = [1, 26] as const;
const VERSION_TIMEOUT_MS = 20_000;
/** Administrators' tools stand here on Debian even when a user's PATH leaves it out. */
const MORE_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/go/bin'];

export function findExecutable(name: string, path = process.env['PATH'] ?? ''): string | undefined {
  for (const directory of [...path.split(delimiter), ...MORE_DIRECTORIES]) {
    const candidate = join(directory, name);
    if (directory !== '' && isExecutable(candidate)) return candidate;
  }
  return undefined;
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function parseGoVersion(text: string): readonly [number, number] | undefined {
  const match = /go(\d+)\.(\d+)/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

/** The path of a Go that is new enough, or a problem that says what it is needed for. */
export async function requireGo(purpose: string): Promise<string> {
  const found = await findGo();
  if (found.path !== undefined) return found.path;
  throw new SetupProblem(
    `${found.problem}.`,
    `it builds ${purpose} from pinned sources.`,
    'install Go from https://go.dev/dl into /usr/local/go, or put a newer one first on PATH',
  );
}

export async function findGo(): Promise<{ path?: string; version?: string; problem?: string }> {
  const wanted = GO_VERSION_MIN.join('.');
  const path = findExecutable('go');
  if (path === undefined) return { problem: `Go ${wanted} or newer is not installed` };
  const { stdout } = await runTool(path, ['env', 'GOVERSION'], { timeoutMs: VERSION_TIMEOUT_MS });
  const version = parseGoVersion(stdout);
  const [majorMin, minorMin] = GO_VERSION_MIN;
  if (version === undefined || version[0] < majorMin || (version[0] === majorMin && version[1] < minorMin)) {
    return { problem: `${stdout.trim() || 'the Go found'} at ${path} is older than Go ${wanted}` };
  }
  return { path, version: stdout.trim() };
}

/** Each /usr/lib/postgresql/N/bin with a server in it, the newest first. */
export function findDebianPostgres(base = '/usr/lib/postgresql'): string[] {
  if (!existsSync(base)) return [];
  return readdirSync(base)
    .filter((major) => /^\d+$/.test(major))
    .sort((a, b) => Number(b) - Number(a))
    .map((major) => join(base, major, 'bin'))
    .filter(
      (directory) => isExecutable(join(directory, 'postgres')) && isExecutable(join(directory, 'initdb')),
    );
}
