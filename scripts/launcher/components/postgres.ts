import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { ComponentDescription } from '../component.js';
import { plainEnvironment, type LaunchContext } from '../context.js';
import type { StepResult } from '../reporter.js';
import { errorText, hasCode, SetupProblem } from '../setup-problem.js';
import { requireTool } from '../tool.js';
import { readPid } from './engine-files.js';
import { choosePostgres } from './postgres-binaries.js';

const CONNECT_TIMEOUT_MS = 3_000;
const INIT_TIMEOUT_MS = 120_000;
/** Recovery after an unclean end replays what the last checkpoint has not written yet. */
const READY_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 20_000;
const SOCKET_LOCK = '.s.PGSQL.5432.lock';
const ROLE = 'berth';
const DATABASE = 'berth';
/** Any id that is not 0 will do: PostgreSQL refuses to run as root, and in a user namespace the files stay root's outside. */
const MAPPED_USER_ID = 65_534;

/** Makes a database answer and returns its address: the one of DATABASE_URL, or a PostgreSQL of our own on a private socket. */
export async function bringUpPostgres(context: LaunchContext): Promise<StepResult<string>> {
  const named = context.environment['DATABASE_URL'];
  if (named !== undefined && named !== '') return useNamedDatabase(named);
  const dataDirectory = join(context.state.root, 'postgres');
  const socketDirectory = join(context.state.sockets, 'postgres-socket');
  mkdirSync(socketDirectory, { recursive: true, mode: 0o700 });
  const binaries = await choosePostgres(context, dataDirectory);
  await initialise(context, binaries.directory, dataDirectory);
  const verb = await context.supervisor.bringUp(
    describe(context, binaries.directory, dataDirectory, socketDirectory),
    context.signal,
  );
  await createDatabase(socketDirectory);
  const databaseUrl = socketUrl(socketDirectory, DATABASE);
  return { verb, detail: `PostgreSQL ${binaries.version}, on a private socket`, value: databaseUrl };
}

/** The form that pg and psql both understand for a socket directory. */
export function socketUrl(socketDirectory: string, database: string): string {
  return `postgres://${ROLE}@localhost/${database}?host=${encodeURIComponent(socketDirectory)}`;
}

/** An address for run.json and the screen. */
export function withoutPassword(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.password = '';
  url.searchParams.delete('password');
  return url.href;
}

async function useNamedDatabase(databaseUrl: string): Promise<StepResult<string>> {
  const place = withoutPassword(databaseUrl);
  try {
    await query(databaseUrl, 'select 1');
  } catch (error) {
    throw new SetupProblem(
      `The database of DATABASE_URL (${place}) does not answer: ${errorText(error)}.`,
      'Postgres holds what exists: sandboxes, execs, operations and recent output.',
      'start it, or unset DATABASE_URL to let Berth start one of its own',
    );
  }
  return { verb: 'found', detail: place, value: databaseUrl };
}

async function query(databaseUrl: string, text: string, values: string[] = []): Promise<pg.QueryResult> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: CONNECT_TIMEOUT_MS,
  });
  // Without a listener, a server that dies right now would end this process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await client.query(text, values);
  } finally {
    await client.end();
  }
}

/** The cluster is made aside and renamed, so that an interrupted initdb leaves nothing that looks like one. */
async function initialise(context: LaunchContext, binaries: string, dataDirectory: string): Promise<void> {
  if (existsSync(join(dataDirectory, 'PG_VERSION'))) return;
  const aside = `${dataDirectory}.new`;
  rmSync(aside, { recursive: true, force: true });
  const initdb = [
    join(binaries, 'initdb'),
    '-D',
    aside,
    '-U',
    ROLE,
    '--auth=trust',
    '--encoding=UTF8',
    '--locale=C',
  ];
  const [command, ...args] = asOrdinaryUser([...initdb, '--data-checksums']);
  await requireTool(command ?? '', args, {
    timeoutMs: INIT_TIMEOUT_MS,
    signal: context.signal,
    env: plainEnvironment(context.environment),
    logPath: join(context.state.logs, 'postgres-init.log'),
    verbose: context.options.verbose,
  });
  // The socket lies in a directory of this user alone, which is why nobody is asked for a password.
  writeFileSync(join(aside, 'pg_hba.conf'), 'local all all trust\n');
  chmodSync(join(aside, 'pg_hba.conf'), 0o600);
  renameSync(aside, dataDirectory);
}

/**
 * A chunk of output passes through several large pieces of memory. The C library gives such pieces back to the kernel at once
 * and asks for them again, which is half of the time that storing a chunk takes. Each of its processes keeps up to this much instead.
 */
const KEPT_MEMORY = {
  MALLOC_MMAP_THRESHOLD_: String(8 * 1_024 * 1_024),
  MALLOC_TRIM_THRESHOLD_: String(4 * 1_024 * 1_024),
  MALLOC_TOP_PAD_: String(1 * 1_024 * 1_024),
};

function describe(
  context: LaunchContext,
  binaries: string,
  dataDirectory: string,
  socketDirectory: string,
): ComponentDescription {
  const settings = {
    listen_addresses: '',
    unix_socket_directories: socketDirectory,
    unix_socket_permissions: '0700',
    max_connections: '200',
    shared_buffers: '128MB',
    // The wake-ups of readers and the lists depend on the clock's zone nowhere; logs are easier to read in one.
    log_timezone: 'UTC',
    timezone: 'UTC',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const command = asOrdinaryUser([join(binaries, 'postgres'), '-D', dataDirectory, ...flags]);
  return {
    name: 'postgres',
    command: command as [string, ...string[]],
    env: { ...plainEnvironment(context.environment), ...KEPT_MEMORY },
    cwd: context.state.root,
    prepare: () => clearStaleLocks(dataDirectory, socketDirectory),
    probe: async () => {
      await query(socketUrl(socketDirectory, 'postgres'), 'select 1');
    },
    readyTimeoutMs: READY_TIMEOUT_MS,
    // SIGINT is the fast shutdown: sessions are ended, the checkpoint is written.
    stopSignal: 'SIGINT',
    stopTimeoutMs: STOP_TIMEOUT_MS,
  };
}

function asOrdinaryUser(command: readonly string[]): string[] {
  if (process.getuid?.() !== 0) return [...command];
  return ['unshare', '-U', `--map-user=${MAPPED_USER_ID}`, ...command];
}

/**
 * A lock whose process is not a PostgreSQL of this data directory is from an unclean end. PostgreSQL itself takes any process of
 * that pid for its owner, even a zombie that nobody has reaped.
 */
function clearStaleLocks(dataDirectory: string, socketDirectory: string): void {
  for (const lock of [join(dataDirectory, 'postmaster.pid'), join(socketDirectory, SOCKET_LOCK)]) {
    const pid = readPid(lock);
    if (pid !== undefined && !isPostgresOf(pid, dataDirectory)) rmSync(lock, { force: true });
  }
}

function isPostgresOf(pid: number, dataDirectory: string): boolean {
  try {
    const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
    return name === 'postgres' && readlinkSync(`/proc/${pid}/cwd`) === dataDirectory;
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return false;
    throw error;
  }
}

async function createDatabase(socketDirectory: string): Promise<void> {
  const admin = socketUrl(socketDirectory, 'postgres');
  const found = await query(admin, 'select 1 from pg_database where datname = $1', [DATABASE]);
  if (found.rowCount !== 0) return;
  await query(admin, `create database ${DATABASE}`);
}
