import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { stackSecrets } from '../../stack/running-stack.js';
import { run, sandboxOf, type ExecBody } from '../api-client.js';
import { pidOf } from '../processes.js';
import { latenciesDuring, openDescriptors, percentile, Steadiness } from './api-process.js';
import { RawConnection } from './raw-http.js';

const TEST_TIMEOUT_MS = 120_000;
const MIB = 1_048_576;
const GROWTH_BYTES_MAX = 64 * MIB;
/** The API lets headers arrive for 10 s and whole requests for 30 s, and looks for late ones every 5 s. */
const HEADERS_MS_MAX = 20_000;
const REQUEST_MS_MAX = 45_000;
const CONNECTIONS = 200;
const CALM_MS = 2_000;
const SPARE_DESCRIPTORS = 20;

let exec: ExecBody;

beforeAll(async () => {
  exec = await run(await sandboxOf(`slow-${randomUUID().slice(0, 8)}`), { command: 'true' });
}, TEST_TIMEOUT_MS);

const head = (line: string): string =>
  `${line} HTTP/1.1\r\nHost: berth\r\nX-Admin-Secret: ${stackSecrets().adminSecret}\r\n`;

/** Sends a byte a second on each for as long as any is open. Returns how long that took. */
async function trickle(connections: readonly RawConnection[], msMax: number): Promise<number> {
  const beganAt = performance.now();
  while (connections.some(({ isOpen }) => isOpen)) {
    if (performance.now() - beganAt > msMax) throw new Error('Slow connections are still open.');
    for (const connection of connections) await connection.say('a');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  return performance.now() - beganAt;
}

async function openAll(beginning: string): Promise<RawConnection[]> {
  const connections = Array.from({ length: CONNECTIONS }, () => new RawConnection());
  for (const connection of connections) await connection.say(beginning);
  return connections;
}

describe('clients that never come to the end of their request', () => {
  it(
    'are cut off, and hold nobody up meanwhile',
    async () => {
      const steady = new Steadiness('api');
      const path = `/v1/execs/${exec.id}`;
      const calm = await latenciesDuring(path, () => new Promise((resolve) => setTimeout(resolve, CALM_MS)));
      const body = `${head(`POST /v1/sandboxes/${exec.sandboxId}/execs`)}Content-Type: application/json\r\n`;
      const under = await latenciesDuring(path, async () => {
        const slowHeaders = await openAll(head(`GET ${path}`));
        const slowBodies = await openAll(`${body}Content-Length: 1000\r\n\r\n{"command":"`);
        await Promise.all([trickle(slowHeaders, HEADERS_MS_MAX), trickle(slowBodies, REQUEST_MS_MAX)]);
      });
      expect(percentile(under, 0.5)).toBeLessThan(Math.max(50, 2 * percentile(calm, 0.5)));
      await steady.hold(GROWTH_BYTES_MAX);
    },
    TEST_TIMEOUT_MS,
  );
});

describe('an API without descriptors', () => {
  it(
    'lets new connections go, and serves again as soon as it has some',
    async () => {
      const pid = pidOf('api');
      const before = descriptorLimit(pid);
      setDescriptorLimit(pid, openDescriptors(pid) + SPARE_DESCRIPTORS);
      const connections: RawConnection[] = [];
      try {
        connections.push(...(await openAll('')));
        await Promise.any(connections.map(async ({ ended }) => await ended));
        expect(connections.filter(({ isOpen }) => isOpen).length).toBeLessThan(CONNECTIONS);
      } finally {
        setDescriptorLimit(pid, before);
        for (const connection of connections) connection.close();
      }
      expect(await run(exec.sandboxId, { command: 'exit 6' })).toMatchObject({ exitCode: 6 });
      expect(pidOf('api')).toBe(pid);
    },
    TEST_TIMEOUT_MS,
  );
});

function descriptorLimit(pid: number): number {
  return Number(/^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1]);
}

/** Of a process that runs. */
function setDescriptorLimit(pid: number, soft: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${soft}:`]);
}
