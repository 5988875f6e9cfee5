import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { observeProcess } from './process-identity.js';
import { hasCode, SetupProblem } from './setup-problem.js';

const PORT_MAX = 65_535;
const PORTS_TRIED_MAX = 100;
const TCP_LISTEN_STATE = '0A';

export interface PortRequest {
  readonly name: string;
  readonly host: string;
  readonly preferred: number;
  readonly strict: boolean;
}

/** The inodes of the sockets that listen on a port, out of the text of /proc/net/tcp or tcp6. */
export function parseListenInodes(table: string, port: number): string[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes: string[] = [];
  for (const row of table.split('\n').slice(1)) {
    const fields = row.trim().split(/\s+/);
    const inode = fields[9];
    if (inode === undefined || fields[3] !== TCP_LISTEN_STATE) continue;
    if (fields[1]?.endsWith(`:${hexPort}`) === true) inodes.push(inode);
  }
  return inodes;
}

/** Who listens on a port, in words for a person, as far as /proc may be read. */
export function describePortHolder(port: number): string {
  const links = listeningSockets(port);
  if (links.size === 0) return 'another process';
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || !holdsSocket(entry, links)) continue;
    const command = observeProcess(Number(entry))?.command ?? '';
    return `process ${entry} (${command.slice(0, 120)})`;
  }
  return 'a process that this user may not see';
}

/** Whether a port is listened on by somebody else than this process. Nobody at all is no. */
export function isHeldByAnother(port: number, pid: number): boolean {
  const links = listeningSockets(port);
  return links.size > 0 && !holdsSocket(String(pid), links);
}

/**
 * Hands out ports that are free, and never the same one twice. A chosen port is held until its component starts, which can be
 * minutes later: nobody else can take it in between.
 */
export class PortChooser {
  private readonly taken = new Set<number>();
  private readonly held = new Map<number, Server>();

  constructor(private readonly say: (text: string) => void) {}

  async choose(request: PortRequest): Promise<number> {
    let wasHeld = false;
    for (
      let port = request.preferred;
      port < request.preferred + PORTS_TRIED_MAX && port <= PORT_MAX;
      port++
    ) {
      if (this.taken.has(port)) continue;
      // Taken before it is looked at: another component may be choosing at the same moment.
      this.taken.add(port);
      const server = await tryToListen(request.host, port);
      if (server !== undefined) {
        this.held.set(port, server.unref());
        if (wasHeld) this.say(`${request.name} takes port ${port} instead.`);
        return port;
      }
      const holder = `Port ${port} (${request.name}) is held by ${describePortHolder(port)}.`;
      if (request.strict) {
        throw new SetupProblem(
          holder,
          '--strict-ports was given.',
          'end that process, or choose another port',
        );
      }
      wasHeld = true;
      this.say(holder);
    }
    throw new SetupProblem(
      `No port from ${request.preferred} upwards is free for ${request.name}.`,
      `${request.name} listens on a TCP port of ${request.host}.`,
      'free one of them, or choose others with --port-base',
    );
  }

  /** Lets go of a chosen port, right before the component that it was chosen for binds it. */
  async release(port: number): Promise<void> {
    const server = this.held.get(port);
    this.held.delete(port);
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  /** Marks a port as used by an adopted process. */
  reserve(port: number): void {
    this.taken.add(port);
  }
}

export async function isFree(host: string, port: number): Promise<boolean> {
  const server = await tryToListen(host, port);
  if (server === undefined) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

async function tryToListen(host: string, port: number): Promise<Server | undefined> {
  // Whoever comes before the component does is turned away at once.
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if (hasCode(error, 'EADDRINUSE') || hasCode(error, 'EACCES')) resolve(undefined);
      else reject(error);
    });
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });
}

/** The names under which the listening sockets of a port appear among the open files of a process. */
function listeningSockets(port: number): ReadonlySet<string> {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map(readTable);
  const inodes = tables.flatMap((table) => parseListenInodes(table, port));
  return new Set(inodes.map((inode) => `socket:[${inode}]`));
}

function holdsSocket(pid: string, links: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => links.has(readLink(`/proc/${pid}/fd/${fd}`)));
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'EACCES') || hasCode(error, 'ESRCH')) return false;
    throw error;
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'EACCES')) return '';
    throw error;
  }
}

function readTable(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    // A kernel without IPv6 has no tcp6.
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}
