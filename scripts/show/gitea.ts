import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beside, GIT_HOST } from '../../test/git/git-server.js';

const MODULE = 'code.gitea.io/gitea';
const VERSION = 'v1.26.0';
const TAGS = 'sqlite sqlite_unlock_notify';
const BUILD_MS_MAX = 60 * 60_000;
const COMMAND_MS_MAX = 120_000;
const READY_LOOK_MS = 250;
const READY_LOOKS_MAX = 480;
const PASSWORD = 'a-pass-word-1';

/** A program and the folder of its module, which has what it reads at run time. */
interface Built {
  readonly program: string;
  readonly module: string;
}

/**
 * Builds it as a dependency of a module of ours, as it cannot be installed by its name: that would leave out what its own
 * go.mod replaces. There are no web pages in it, as those are made by another tool; its API and its git need none.
 */
export function buildGitea(): Built {
  const folder = join(homedir(), '.cache/berth/gitea', VERSION);
  mkdirSync(folder, { recursive: true });
  const go = (...parameters: string[]): string =>
    execFileSync('go', parameters, { cwd: folder, encoding: 'utf8', timeout: BUILD_MS_MAX });
  const { Dir: module } = JSON.parse(go('mod', 'download', '-json', `${MODULE}@${VERSION}`)) as {
    Dir: string;
  };
  const program = join(folder, 'gitea');
  if (existsSync(program)) return { program, module };
  const itsOwn = readFileSync(join(module, 'go.mod'), 'utf8');
  const replaced = itsOwn.slice(itsOwn.search(/^replace /m));
  const version = /^go .*$/m.exec(itsOwn)?.[0] ?? '';
  writeFileSync(
    join(folder, 'go.mod'),
    `module show\n\n${version}\n\nrequire ${MODULE} ${VERSION}\n\n${replaced}`,
  );
  writeFileSync(join(folder, 'go.sum'), readFileSync(join(module, 'go.sum')));
  go('build', '-mod=mod', '-trimpath', '-tags', TAGS, '-o', `${program}.new`, MODULE);
  renameSync(`${program}.new`, program);
  return { program, module };
}

/** A Gitea on this machine with one user, who has a token. */
export class Gitea {
  private constructor(
    private readonly folder: string,
    private readonly port: number,
    private readonly web: ChildProcess,
    readonly user: string,
    readonly token: string,
  ) {}

  static async start({ program, module }: Built): Promise<Gitea> {
    const folder = mkdtempSync(join(tmpdir(), 'berth-gitea-'));
    const port = await freePort();
    const settings = join(folder, 'app.ini');
    writeFileSync(settings, settingsOf(folder, module, port));
    const admin = (...parameters: string[]): string =>
      execFileSync(program, ['--config', settings, ...parameters], {
        env: { PATH: process.env['PATH'], HOME: folder },
        encoding: 'utf8',
        timeout: COMMAND_MS_MAX,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    const user = 'somebody';
    admin('migrate');
    const account = ['--username', user, '--password', PASSWORD, '--email', 'somebody@berth.test'];
    admin('admin', 'user', 'create', ...account, '--must-change-password=false');
    const grant = ['--username', user, '--scopes', 'all', '--token-name', 'show', '--raw'];
    const token = lastLine(admin('admin', 'user', 'generate-access-token', ...grant));
    const web = spawn(program, ['--config', settings, 'web'], {
      env: { PATH: process.env['PATH'], HOME: folder },
      stdio: 'ignore',
    });
    const gitea = new Gitea(folder, port, web, user, token);
    await gitea.untilReady();
    return gitea;
  }

  get host(): string {
    return `${GIT_HOST}:${this.port}`;
  }

  url(repository: string): string {
    return `https://${this.host}/${this.user}/${repository}.git`;
  }

  /** Asks its API past Berth. */
  async ask(method: string, path: string, body?: object): Promise<unknown> {
    const call = request({
      host: '127.0.0.1',
      port: this.port,
      servername: GIT_HOST,
      ca: readFileSync(beside('ca.pem')),
      method,
      path: `/api/v1${path}`,
      headers: { authorization: `token ${this.token}`, 'content-type': 'application/json' },
    });
    call.end(body && JSON.stringify(body));
    const [answer] = (await once(call, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
    let text = '';
    for await (const piece of answer) text += piece.toString();
    if (answer.statusCode >= 300) throw new Error(`${method} ${path} answered ${answer.statusCode}: ${text}`);
    return JSON.parse(text);
  }

  async close(): Promise<void> {
    this.web.kill();
    if (this.web.exitCode === null && this.web.signalCode === null) await once(this.web, 'exit');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async untilReady(): Promise<void> {
    let last: unknown;
    for (let look = 0; look < READY_LOOKS_MAX; look++) {
      try {
        await this.ask('GET', '/version');
        return;
      } catch (error) {
        last = error;
      }
      await pause(READY_LOOK_MS);
    }
    throw new Error('Gitea does not answer.', { cause: last });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** It refuses to run as root unless it is told. */
const settingsOf = (folder: string, module: string, port: number): string => `
RUN_USER = root
RUN_MODE = prod
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
WORK_PATH = ${folder}
[server]
PROTOCOL = https
CERT_FILE = ${beside('server.pem')}
KEY_FILE = ${beside('server-key.pem')}
HTTP_ADDR = 0.0.0.0
HTTP_PORT = ${port}
DOMAIN = ${GIT_HOST}
ROOT_URL = https://${GIT_HOST}:${port}/
STATIC_ROOT_PATH = ${module}
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = ${join(folder, 'gitea.db')}
[security]
INSTALL_LOCK = true
[log]
MODE = console
LEVEL = Warn
`;

/** It writes its log before what it was asked for. */
const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';
