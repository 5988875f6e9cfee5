import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { runningStack } from '../stack/running-stack.js';
import { output, run, sandboxOf, secretHeader } from './api-client.js';
import { pidOf } from './processes.js';

const MIB = 1_024 * 1_024;
const OUTPUT_BYTES = 48 * MIB;
const READERS = 100;
const READ_EVERY_MS = 1_000;
/** Where everything were read for them at once, it would be there long before that. */
const WATCH_MS = 5_000;
/** Of what all of them ask for and do not take. A process has garbage of its own, so this is no figure for one reader. */
const HELD_SHARE_MAX = 0.05;
const TEST_TIMEOUT_MS = 240_000;

let id: string;

beforeAll(async () => {
  const sandbox = await sandboxOf(`slow-${randomUUID().slice(0, 8)}`);
  const ended = await run(sandbox, { command: `head -c ${OUTPUT_BYTES} /dev/urandom` }, 120);
  if (ended.stdoutBytes !== OUTPUT_BYTES) throw new Error(`The exec wrote ${ended.stdoutBytes} bytes.`);
  id = ended.id;
}, TEST_TIMEOUT_MS);

function residentBytes(pid: number): number {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1_024;
}

/** A client that takes a byte a second. */
class SlowReader {
  private readonly timer: NodeJS.Timeout;
  private readonly socket: Socket;
  private readonly head: Promise<string>;

  constructor(path: string, accept: string) {
    const { hostname, port } = new URL(runningStack().apiUrl);
    this.socket = connect({ host: hostname, port: Number(port) });
    this.socket.on('error', () => undefined);
    const headers = { host: hostname, accept, ...secretHeader() };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
    this.head = new Promise((resolve) => {
      this.socket.once('readable', () => resolve(String(this.socket.read(12))));
    });
    this.timer = setInterval(() => this.socket.read(1), READ_EVERY_MS);
  }

  async status(): Promise<string> {
    return await this.head;
  }

  close(): void {
    clearInterval(this.timer);
    this.socket.destroy();
  }
}

async function mostMemoryDuring(ms: number): Promise<number> {
  const pid = pidOf('api');
  let most = 0;
  for (const until = Date.now() + ms; Date.now() < until;) {
    most = Math.max(most, residentBytes(pid));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return most;
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('readers that take a byte a second', () => {
  it.each([
    ['bytes', `output?stream=stdout`, '*/*'],
    ['server-sent events', `output`, 'text/event-stream'],
    ['lines of JSON', `output?stream=both`, '*/*'],
  ])(
    `of %s are held little of what they do not take, and hold up nobody else`,
    async (_form, query, accept) => {
      const whole = sha256(await output(id));
      const before = residentBytes(pidOf('api'));
      const readers = Array.from(
        { length: READERS },
        () => new SlowReader(`/v1/execs/${id}/${query}`, accept),
      );
      try {
        for (const reader of readers) expect(await reader.status()).toBe('HTTP/1.1 200');
        const grown = (await mostMemoryDuring(WATCH_MS)) - before;
        expect(grown / (READERS * OUTPUT_BYTES)).toBeLessThan(HELD_SHARE_MAX);
        expect(sha256(await output(id))).toBe(whole);
      } finally {
        for (const reader of readers) reader.close();
      }
    },
    TEST_TIMEOUT_MS,
  );
});
