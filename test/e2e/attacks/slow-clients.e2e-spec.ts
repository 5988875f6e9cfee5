import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { stackSecrets } from '../../stack/running-stack.js';
import { run, sandboxOf, type ExecBody } from '../api-client.js';
import { pidOf } from '../processes.js';
import { pause } from '../until.js';
import { answeredDuring, openDescriptors, Steadiness } from './api-process.js';
import { RawConnection } from './raw-http.js';

const TEST_TIMEOUT_MS = 180_000;
/** When the test gives up. The API lets headers arrive for 10 s and whole requests for 30 s, and looks for late ones every 5 s. */
const CUT_OFF_MS_MAX = 100_000;
const CONNECTIONS = 200;
const SPARE_DESCRIPTORS = 20;

let exec: ExecBody;

beforeAll(async () => {
  exec = await run(await sandboxOf(`slow-${randomUUID().slice(0, 8)}`), { command: 'true' });
}, TEST_TIMEOUT_MS);

const head = (line: string): string =>
  `${line} HTTP/1.1\r\nHost: berth\r\nX-Admin-Secret: ${stackSecrets().adminSecret}\r\n`;

/** Sends a byte a second on each for as long as any is open. */
async function trickle(connections: readonly RawConnection[]): Promise<void> {
  for (const giveUpAt = Date.now() + CUT_OFF_MS_MAX; connections.some(({ isOpen }) => isOpen);) {
    if (Date.now() > giveUpAt) throw new Error('Slow connections are still open.');
    for (const connection of connections) await connection.say('a');
    await pause(1_000);
  }
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
      const body = `${head(`POST /v1/sandboxes/${exec.sandboxId}/execs`)}Content-Type: application/json\r\n`;
      const answers = await answeredDuring(path, async () => {
        const slowHeaders = await openAll(head(`GET ${path}`));
        const slowBodies = await openAll(`${body}Content-Length: 1000\r\n\r\n{"command":"`);
        await Promise.all([trickle(slowHeaders), trickle(slowBodies)]);
      });
      expect(answers).toBeGreaterThan(0);
      await steady.hold();
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
