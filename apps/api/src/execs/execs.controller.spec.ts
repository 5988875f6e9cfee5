import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { execId, type ExecId } from '#domain';
import { ADMIN, startTestApp } from '../../../../test/fakes/api-app.js';
import { exitRecordOf } from '../../../../test/fakes/exit-record.js';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';

let world: MemoryWorld;
let app: NestFastifyApplication;

beforeEach(async () => {
  world = new MemoryWorld();
  app = await startTestApp(world);
});
afterEach(async () => await app.close());

async function post(payload: object, owner = 'u1') {
  const url = `/api/super/users/${owner}/exec`;
  return await app.inject({ method: 'POST', url, headers: ADMIN, payload });
}

async function created(payload: object): Promise<ExecId> {
  return execId((await post({ command: 'true', ...payload })).json<{ execId: string }>().execId);
}

async function get(url: string) {
  const response = await app.inject({ url, headers: ADMIN });
  expect(response.statusCode).toBe(200);
  return response.json<Record<string, unknown>>();
}

async function idsAt(url: string): Promise<unknown[]> {
  return (await get(url))['items'] as unknown[];
}

describe('a list of execs', () => {
  it('is filtered by labels, of which all must hold', async () => {
    const both = await created({ labels: { run: '7', 'ci/branch': 'a=b' } });
    const one = await created({ labels: { run: '7' } });
    await created({});
    const found = async (query: string) =>
      (await idsAt(`/v1/execs?${query}`)).map((item) => (item as { id: string }).id);
    expect(await found('label=run=7')).toEqual([one, both]);
    expect(await found('label=run=7&label=ci/branch=a=b')).toEqual([both]);
    expect(await found('label=run=8')).toEqual([]);
    expect((await get(`/v1/execs/${both}`))['labels']).toEqual({ run: '7', 'ci/branch': 'a=b' });
  });

  it('is filtered by several states and by time', async () => {
    const queued = await created({});
    const ended = await created({});
    await world.end(ended);
    const { createdAt } = await world.execs.get(ended);
    const count = async (query: string) => (await idsAt(`/v1/execs?${query}`)).length;
    expect(await count('state=queued')).toBe(1);
    expect(await count('state=queued&state=succeeded')).toBe(2);
    expect(await count(`createdAfter=${createdAt}`)).toBe(1);
    expect(await count(`createdBefore=${createdAt}`)).toBe(1);
    expect(await count(`createdAfter=${encodeURIComponent(createdAt.replace('Z', '+00:00'))}`)).toBe(1);
    expect(queued).not.toBe(ended);
  });
});

describe('an exec', () => {
  it('shows its place in the queue while it waits', async () => {
    const first = await created({});
    const second = await created({});
    const places = async () => [
      (await get(`/v1/execs/${first}`))['queuePosition'],
      (await get(`/v1/execs/${second}`))['queuePosition'],
    ];
    expect(await places()).toEqual([1, 2]);
    const listed = (await idsAt('/v1/execs')) as Array<{ queuePosition: number }>;
    expect(listed.map(({ queuePosition }) => queuePosition)).toEqual([2, 1]);
    await world.run(first);
    expect(await places()).toEqual([null, 1]);
  });

  it('shows what it used, the hashes of its streams and why a command was not started', async () => {
    const id = await created({});
    await world.run(id);
    const exitRecord = exitRecordOf({
      reason: 'start_failed',
      exitCode: 127,
      startFailure: { code: 'command_not_found', message: 'nope: no such program' },
      usage: { userMs: 30, systemMs: 12, maxRssBytes: 4_096 },
    });
    const failure = { code: 'command_not_found' as const, message: 'nope: no such program' };
    await world.end(id, { state: 'not_started', exitCode: null, failure, exitRecord });
    expect(await get(`/v1/execs/${id}`)).toMatchObject({
      state: 'not_started',
      exitCode: null,
      failure,
      usage: { wallMs: 1_000, cpuMs: 42, memoryPeakBytes: 4_096 },
      sha256: { stdout: exitRecord.stdoutSha256, stderr: exitRecord.stderrSha256 },
      exitRecord: { startFailure: failure },
    });
  });

  it('has neither usage nor hashes without an exit record', async () => {
    const id = await created({});
    expect(await get(`/v1/execs/${id}`)).toMatchObject({ usage: null, sha256: null, evidence: null });
  });
});

describe('a sandbox that does not run', () => {
  it('is 409 with its state where the request says so, and nothing is created', async () => {
    const refused = await post({ command: 'true', ifStopped: 'fail' });
    expect(refused.statusCode).toBe(409);
    expect(refused.json()).toMatchObject({ code: 'invalid_state', observedState: 'none' });
    expect(world.sandboxes.rows.size + world.execs.rows.size).toBe(0);

    const { sandboxId } = await world.execs.get(await created({}));
    world.sandboxes.change(sandboxId, { observedState: 'stopped' });
    for (const row of world.operations.rows.values())
      await world.operations.move(row.id, ['pending'], 'failed');
    const url = `/v1/sandboxes/${sandboxId}/execs`;
    const payload = { command: 'true', ifStopped: 'fail' };
    const response = await app.inject({ method: 'POST', url, headers: ADMIN, payload });
    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ code: 'invalid_state', observedState: 'stopped', sandboxId });
    expect(world.execs.rows.size).toBe(1);
  });

  it('is started otherwise', async () => {
    expect((await post({ command: 'true', ifStopped: 'start' })).statusCode).toBe(202);
    expect(world.workflows.startedOperations.size).toBe(1);
  });
});

describe('a full queue', () => {
  it('is 429 with the time to wait', async () => {
    world.execs.queuedMax = 2;
    await created({});
    await created({});
    const response = await post({ command: 'true' });
    expect(response.statusCode).toBe(429);
    expect(response.headers['retry-after']).toBe('5');
    expect(response.json()).toMatchObject({ code: 'queue_full', queuedMax: 2 });
  });
});
