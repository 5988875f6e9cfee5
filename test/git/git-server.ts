import { spawn, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The name in the certificate of the server; a sandbox finds it by its own /etc/hosts. */
export const GIT_HOST = 'git.berth.test';
const USERNAME = 'git';
/** No list of a few branches is as long as this. */
const CONTENT_BYTES = 100_000;
/** The built benchmark has the certificates where the sources are. */
const FOLDER = import.meta.url.replace('/dist/test/git/', '/test/git/');
export const beside = (name: string): string => fileURLToPath(new URL(name, FOLDER));

/** Where an answer is cut: before the request is handed on, within the answer, or after all of it was made. */
export type Cut = 'before' | 'within' | 'after';

/** A real git server: `git http-backend` behind TLS and a token, whose answers to a push can be cut. */
export class GitServer {
  /** Tokens that it takes. */
  readonly tokens = new Set<string>();
  /** Cuts that are still to be made, one for each push. */
  readonly cuts: Cut[] = [];
  /** The pushes that have come through to a repository, and when. */
  readonly pushes: { readonly repository: string; readonly atMs: number }[] = [];
  /** Whether it takes requests for content and never answers them. */
  isSilent = false;
  /** What the second half of an answer with much content waits for. */
  halfway: Promise<void> = Promise.resolve();
  /** Told of each push as it comes, before anything is done about it. */
  onPush: (repository: string) => void = () => undefined;
  readonly folder = mkdtempSync(join(tmpdir(), 'berth-git-'));
  private readonly backend = join(gitOf('.', '--exec-path'), 'git-http-backend');
  private readonly server: Server;

  private constructor() {
    const certificate = {
      key: readFileSync(beside('server-key.pem')),
      cert: readFileSync(beside('server.pem')),
    };
    this.server = createServer(certificate, (request, response) => {
      this.answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  static async listen(): Promise<GitServer> {
    const server = new GitServer();
    server.server.listen(0, '0.0.0.0');
    await once(server.server, 'listening');
    return server;
  }

  get host(): string {
    return `${GIT_HOST}:${(this.server.address() as AddressInfo).port}`;
  }

  url(name: string): string {
    return `https://${this.host}/${name}`;
  }

  /** A repository with one commit on main. */
  make(name: string, files: Readonly<Record<string, string>> = { README: 'hello\n' }): void {
    const bare = join(this.folder, name);
    gitOf('.', 'init', '-q', '--bare', '--initial-branch=main', bare);
    gitOf(bare, 'config', 'http.receivepack', 'true');
    const seed = mkdtempSync(join(tmpdir(), 'berth-seed-'));
    gitOf('.', 'clone', '-q', bare, seed);
    for (const [file, text] of Object.entries(files)) writeFileSync(join(seed, file), text);
    gitOf(seed, 'add', '-A');
    gitOf(seed, '-c', 'user.name=Seed', '-c', 'user.email=seed@berth.test', 'commit', '-q', '-m', 'first');
    gitOf(seed, 'push', '-q', 'origin', 'HEAD:refs/heads/main');
    rmSync(seed, { recursive: true });
  }

  /**
   * One whose folders name each other ten times each, around one file: in a few kilobytes as many levels of folders, and ten
   * times as many files with each of them.
   */
  makeBomb(name: string, content: string, levels: number): void {
    this.make(name);
    const bare = join(this.folder, name);
    const told = (input: string, ...parameters: string[]): string =>
      execFileSync('git', parameters, { cwd: bare, encoding: 'utf8', input }).trim();
    let entry = `100644 blob ${told(content, 'hash-object', '-w', '--stdin')}`;
    for (let level = 0; level < levels; level++) {
      const entries = Array.from({ length: 10 }, (_, at) => `${entry}\tf${at}\n`);
      entry = `040000 tree ${told(entries.join(''), 'mktree')}`;
    }
    this.point(name, entry.replace('040000 tree ', ''));
  }

  /** So many branches more, all of them at main. */
  addBranches(name: string, count: number): void {
    const bare = join(this.folder, name);
    const tip = this.tip(name);
    const lines = Array.from(
      { length: count },
      (_, at) => `${tip} refs/heads/many/${String(at).padStart(7, '0')}`,
    );
    const head = '# pack-refs with: peeled fully-peeled sorted ';
    writeFileSync(join(bare, 'packed-refs'), `${[head, `${tip} refs/heads/main`, ...lines].join('\n')}\n`);
  }

  hook(name: string, script: string | undefined): void {
    const path = join(this.folder, name, 'hooks', 'pre-receive');
    if (script === undefined) rmSync(path);
    else writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  /** A commit of somebody else's: it changes one file. */
  commit(name: string, file: string, text: string): string {
    const bare = join(this.folder, name);
    const blob = gitOf(bare, 'hash-object', '-w', this.note(text));
    const tree = gitOf(bare, 'ls-tree', 'main')
      .split('\n')
      .filter((line) => !line.endsWith(`\t${file}`));
    const listed = [...tree, `100644 blob ${blob}\t${file}`].join('\n');
    const made = execFileSync('git', ['mktree'], { cwd: bare, encoding: 'utf8', input: listed }).trim();
    return this.point(name, made, '-p', 'main', '-m', `${file} ${text}`);
  }

  private point(name: string, tree: string, ...rest: string[]): string {
    const bare = join(this.folder, name);
    const by = ['-c', 'user.name=Other', '-c', 'user.email=other@berth.test'];
    const commit = gitOf(bare, ...by, 'commit-tree', tree, ...(rest.length > 0 ? rest : ['-m', 'first']));
    gitOf(bare, 'update-ref', 'refs/heads/main', commit);
    return commit;
  }

  /** The subjects of the commits of a branch, newest first. */
  log(name: string, branch = 'main'): string[] {
    return gitOf(join(this.folder, name), 'log', '--format=%s', branch).split('\n');
  }

  tip(name: string, branch = 'main'): string {
    return gitOf(join(this.folder, name), 'rev-parse', branch);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.isKnown(request.headers.authorization)) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return;
    }
    if (this.isSilent && request.method === 'POST') {
      request.resume();
      return;
    }
    const isPush = request.url?.endsWith('/git-receive-pack') ?? false;
    const cut = isPush ? this.cuts.shift() : undefined;
    if (cut === 'before') {
      response.destroy();
      return;
    }
    if (isPush) this.notePush(request.url ?? '');
    const { head, body } = await this.ask(request);
    if (cut === 'after') {
      response.destroy();
      return;
    }
    const headers = Object.fromEntries(head.map((line) => line.split(/: */, 2) as [string, string]));
    response.writeHead(Number(headers['Status']?.slice(0, 3) ?? 200), headers);
    if (cut === 'within') {
      response.write(body.subarray(0, body.length / 2), () => response.destroy());
      return;
    }
    if (body.length >= CONTENT_BYTES) {
      response.write(body.subarray(0, body.length / 2));
      await this.halfway;
      response.end(body.subarray(body.length / 2));
      return;
    }
    response.end(body);
  }

  private note(text: string): string {
    const path = join(this.folder, 'note');
    writeFileSync(path, text);
    return path;
  }

  private notePush(url: string): void {
    const repository = url.split('/')[1] ?? '';
    this.pushes.push({ repository, atMs: Date.now() });
    this.onPush(repository);
  }

  private isKnown(authorization = ''): boolean {
    const [, encoded = ''] = authorization.split(' ');
    const [name = '', token = ''] = Buffer.from(encoded, 'base64').toString().split(':');
    return name === USERNAME && this.tokens.has(token);
  }

  /** As a web server asks a CGI program (RFC 3875). */
  private async ask(request: IncomingMessage): Promise<{ head: string[]; body: Buffer }> {
    const { pathname, search } = new URL(request.url ?? '/', `https://${GIT_HOST}`);
    const { headers } = request;
    const backend = spawn(this.backend, [], {
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: this.folder,
        GIT_HTTP_EXPORT_ALL: '1',
        REMOTE_USER: USERNAME,
        REQUEST_METHOD: request.method,
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        CONTENT_TYPE: headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(headers['git-protocol'] ?? ''),
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    request.pipe(backend.stdin);
    backend.stdin.on('error', () => request.resume());
    // What was cut off on its way here must not be waited for.
    request.on('aborted', () => backend.stdin.destroy());
    const pieces: Buffer[] = [];
    for await (const piece of backend.stdout as AsyncIterable<Buffer>) pieces.push(piece);
    const all = Buffer.concat(pieces);
    const end = all.indexOf('\r\n\r\n');
    return { head: all.toString('latin1', 0, end).split('\r\n'), body: all.subarray(end + 4) };
  }
}

export function gitOf(folder: string, ...parameters: string[]): string {
  return execFileSync('git', parameters, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}
