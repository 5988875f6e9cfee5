import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Client } from './client.js';
import { injuriesEnding, type Injury } from './injury.js';
import { pause } from './pause.js';
import type { Asked } from './read-verdict.js';

const READ_EVERY_MS = 50;
const READ_PATH = '/v1/execs?limit=1';
/** So long after the end of an injury the API has to be as quick as before. */
export const BACK_WITHIN_MS = 30_000;

interface Read {
  readonly atMs: number;
  readonly tookMs: number;
  /** What a server that does nothing took at the same time. */
  readonly machineMs: number;
}

/** How long reads of the API took, in milliseconds: empty where there were none. */
export interface ReadTimes {
  /** With execs in flight, before the first injury. */
  readonly before: Asked;
  /** In the 30 s after the end of an injury, while others go on. */
  readonly between: Asked;
  /** In the 30 s after everything was healed. */
  readonly after: Asked;
  /** Later than that, with execs in flight as before. */
  readonly later: Asked;
}

/** When the assault was over, and until when as many execs were in flight as before it. */
export interface Peace {
  readonly healedAtMs: number;
  readonly landedAtMs: number;
}

/** Reads a list all the time, as a page that somebody has open. A read without an answer is none: readers of execs judge that. */
export class ApiWatch {
  private readonly reads: Read[] = [];

  constructor(private readonly client: Client) {}

  async run(signal: AbortSignal): Promise<void> {
    const idle = await idleServer();
    try {
      while (!signal.aborted) {
        await this.read(idle);
        await pause(READ_EVERY_MS, signal);
      }
    } finally {
      idle.closeAllConnections();
      idle.close();
    }
  }

  times(injuries: readonly Injury[], peace: Peace): ReadTimes {
    return readTimesOf(this.reads, injuries, peace);
  }

  private async read(idle: Server): Promise<void> {
    const atMs = Date.now();
    const beganAt = performance.now();
    try {
      const { status } = await this.client.call('GET', READ_PATH);
      const answeredAt = performance.now();
      await (await fetch(`http://127.0.0.1:${(idle.address() as AddressInfo).port}`)).text();
      const machineMs = performance.now() - answeredAt;
      if (status === 200) this.reads.push({ atMs, tookMs: answeredAt - beganAt, machineMs });
    } catch {
      // The API is being hurt.
    }
  }
}

/** What asking it takes is the machine's, and this process's own. */
async function idleServer(): Promise<Server> {
  const server = createServer((_, response) => response.end('{}')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** A read belongs to where it began. */
export function readTimesOf(
  reads: readonly Read[],
  injuries: readonly Injury[],
  { healedAtMs, landedAtMs }: Peace,
): ReadTimes {
  const firstAtMs = Math.min(...injuries.map(({ atMs }) => atMs));
  const backAtMs = healedAtMs + BACK_WITHIN_MS;
  const asked = (isMeant: (atMs: number) => boolean): Asked => {
    const meant = reads.filter(({ atMs }) => isMeant(atMs));
    return { api: meant.map(({ tookMs }) => tookMs), machine: meant.map(({ machineMs }) => machineMs) };
  };
  return {
    before: asked((atMs) => atMs < firstAtMs),
    between: asked(
      (atMs) => atMs < healedAtMs && injuriesEnding(injuries, atMs - BACK_WITHIN_MS, atMs).length > 0,
    ),
    after: asked((atMs) => atMs >= healedAtMs && atMs < backAtMs),
    later: asked((atMs) => atMs >= backAtMs && atMs < landedAtMs),
  };
}
