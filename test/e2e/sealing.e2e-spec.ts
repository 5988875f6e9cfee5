import { createHash, randomUUID } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Database } from '#postgres';
import { runningStack } from '../stack/running-stack.js';
import {
  call,
  ended,
  followOutput,
  output,
  run,
  sandboxOf,
  secretHeader,
  startExec,
  type ExecBody,
} from './api-client.js';
import { readEvents, type OutputEvent } from './event-reader.js';
import { freeze, thaw, untilHealthIs, untilHealthy } from './outage.js';
import { recordSocket } from './socket-reader.js';
import { until } from './until.js';

const KIB = 1_024;
const MIB = 1_024 * KIB;
/** Two full segments and some more. */
const LINES = 2_600_000;

jest.setTimeout(300_000);

const linesTo = (count: number): Buffer =>
  Buffer.from(Array.from({ length: count }, (_, n) => `${n + 1}\n`).join(''));
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const bytesOf = (events: readonly OutputEvent[]): Buffer => Buffer.concat(events.map((one) => one.bytes));

interface Verification {
  readonly ok: boolean;
  readonly proven: boolean;
  readonly segments: number;
  readonly hotBytes: number;
}

let sandbox: string;
beforeAll(async () => {
  sandbox = await sandboxOf(`sealing-${randomUUID().slice(0, 8)}`);
});
afterEach(() => thaw());

const execOf = async (id: string): Promise<ExecBody> => (await call<ExecBody>('GET', `/v1/execs/${id}`)).body;
const verify = async (id: string): Promise<Verification> =>
  (await call<Verification>('GET', `/v1/execs/${id}/verify`)).body;

async function untilSealed(id: string): Promise<void> {
  await until(
    async () => await execOf(id),
    (exec) => exec['outputState'] === 'sealed',
  );
}

/** As if the exec had ended so long ago. */
async function backdate(id: string, minutes: number): Promise<void> {
  const database = await Database.connect({
    url: runningStack().databaseUrl,
    applicationName: 'test',
    onIdleError: () => undefined,
  });
  await database.query(
    `UPDATE execs SET finished_at = finished_at - make_interval(mins => $2) WHERE id = $1`,
    [id, minutes],
  );
  await database.close();
}

async function expectRanges(id: string, expected: Buffer): Promise<void> {
  const borders = [0, 64 * KIB, 256 * KIB, 8 * MIB, 16 * MIB].flatMap((at) => [at - 9_000, at, at + 1]);
  const between = Array.from({ length: 12 }, (_, n) => Math.floor((expected.byteLength * (n + 0.5)) / 12));
  for (const from of [...borders, ...between, expected.byteLength - 1].filter((at) => at >= 0)) {
    const to = Math.min(expected.byteLength, from + 20_000);
    const response = await fetch(new URL(`/v1/execs/${id}/output?stream=stdout`, runningStack().apiUrl), {
      headers: { ...secretHeader(), range: `bytes=${from}-${to - 1}` },
    });
    expect(response.status).toBe(206);
    expect(sha256(Buffer.from(await response.arrayBuffer()))).toBe(sha256(expected.subarray(from, to)));
  }
}

describe('an output that is sealed while its command runs', () => {
  it('is read as one, wherever its bytes are: by ranges, as events, over the socket, live and afterwards', async () => {
    const expected = linesTo(LINES);
    const flag = `/workspace/go-${randomUUID()}`;
    const command = `seq 1 ${LINES}; until [ -e ${flag} ]; do sleep 0.1; done; echo over >&2; exit 3`;
    const { id } = await startExec(sandbox, { command });
    const follower = followOutput(id, 'stdout', 200);

    const live = await until(
      async () => await verify(id),
      (seen) => seen.segments === 2,
    );
    expect(live).toMatchObject({ ok: true, proven: false });
    expect(live.hotBytes).toBeGreaterThan(0);
    expect(await execOf(id)).toMatchObject({ state: 'running', outputState: 'hot' });
    expect(sha256(await output(id))).toBe(sha256(expected));
    await expectRanges(id, expected);

    const events = await readEvents(id, 0);
    expect(sha256(bytesOf(events))).toBe(sha256(expected));
    const at = (bytes: number): OutputEvent => events.find((one) => one.offset >= bytes) as OutputEvent;
    for (const before of [at(1_000), at(8 * MIB - 200_000), at(16 * MIB - 200_000), at(17 * MIB)]) {
      const from = before.offset + before.bytes.byteLength;
      const more = bytesOf(await readEvents(id, before.position, 600_000));
      expect(sha256(more)).toBe(sha256(expected.subarray(from, from + more.byteLength)));
      expect(more.byteLength).toBeGreaterThanOrEqual(600_000);
    }

    const from = at(8 * MIB - 100_000);
    const socket = recordSocket(id, 100, from.position);
    await run(sandbox, { command: `touch ${flag}` });
    const recording = await socket;
    expect(sha256(recording.stdout)).toBe(sha256(expected.subarray(from.offset + from.bytes.byteLength)));
    expect(recording.stderr.toString()).toBe('over\n');
    expect(sha256(await follower)).toBe(sha256(expected));

    expect(await ended(id)).toMatchObject({ state: 'failed', exitCode: 3 });
    await untilSealed(id);
    expect(await verify(id)).toMatchObject({ ok: true, proven: true, segments: 3, hotBytes: 0 });
    expect(sha256(await output(id))).toBe(sha256(expected));
    expect((await output(id, 'stderr')).toString()).toBe('over\n');
    await expectRanges(id, expected);
    expect(sha256((await recordSocket(id, 60)).stdout)).toBe(sha256(expected));
  });
});

describe('a small output', () => {
  it('is packed with others after a while and read as before, though its sandbox has been deleted', async () => {
    const gone = await sandboxOf(`sealing-${randomUUID().slice(0, 8)}`);
    const { id } = await run(gone, { command: 'printf "a\\000b"; echo c >&2' });
    expect((await call('DELETE', `/v1/sandboxes/${gone}?wait=60`)).body).toMatchObject({
      sandbox: { observedState: 'deleted' },
    });
    await backdate(id, 6);
    await untilSealed(id);
    expect((await output(id)).equals(Buffer.from('a\0b'))).toBe(true);
    expect((await output(id, 'stderr')).toString()).toBe('c\n');
    expect((await recordSocket(id, 30)).stdout.toString()).toBe('a\0b');
    expect(bytesOf(await readEvents(id, 0)).toString()).toContain('a\0b');
    expect(await verify(id)).toMatchObject({ ok: true, proven: true, hotBytes: 0 });
  });
});

describe('while object storage hangs', () => {
  it('execs run and are read, the wait becomes an alarm, and afterwards it is made good by itself', async () => {
    freeze('minio');
    const lines = 1_500_000;
    const { id, state } = await run(sandbox, { command: `seq 1 ${lines}` });
    expect(state).toBe('succeeded');
    expect(sha256(await output(id))).toBe(sha256(linesTo(lines)));
    await backdate(id, 60);
    await untilHealthIs('sealingLag', 'degraded');
    const metrics = await until(
      async () => (await call<string>('GET', '/metrics')).body,
      (seen) => seen.includes('berth_dependency_state{dependency="sealingLag",state="degraded"} 1'),
    );
    expect(Number(/^berth_sealing_oldest_seconds (.*)$/m.exec(metrics)?.[1])).toBeGreaterThan(3_500);
    expect(await execOf(id)).toMatchObject({ outputState: 'hot' });
    expect(await run(sandbox, { command: 'exit 8' })).toMatchObject({ state: 'failed', exitCode: 8 });

    thaw();
    await untilHealthy('s3');
    await untilSealed(id);
    await untilHealthy('sealingLag');
    expect(sha256(await output(id))).toBe(sha256(linesTo(lines)));
  });
});
