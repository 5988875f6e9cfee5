import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
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
  const inodes = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) =>
    parseListenInodes(readTable(path), port),
  );
  if (inodes.length === 0) return 'another process';
  const links = new Set(inodes.map((inode) => `socket:[${inode}]`));
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || !holdsSocket(entry, links)) continue;
    const command = observeProcess(Number(entry))?.command ?? '';
    return `process ${entry} (${command.slice(0, 120)})`;
  }
  return 'a process that this user may not see';
}

/** Hands out ports that are free, and never the same one twice, so that components do not meet on a port before they bind it. */
export class PortChooser {
  private readonly taken = new Set<number>();

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
      if (await isFree(request.host, port)) {
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

  /** Marks a port as used by an adopted process. */
  reserve(port: number): void {
    this.taken.add(port);
  }
}

export async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if (hasCode(error, 'EADDRINUSE') || hasCode(error, 'EACCES')) resolve(false);
      else reject(error);
    });
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
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
