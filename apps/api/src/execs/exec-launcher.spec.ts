import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { ExecId } from '#domain';
import { ADMIN, startTestApp } from '../../../../test/fakes/api-app.js';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';

/** Longer than the test takes to end the exec that ends before. */
const AFTER_MS = 1_000;
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

let world: MemoryWorld;
let app: NestFastifyApplication;

beforeEach(async () => {
  world = new MemoryWorld();
});
afterEach(async () => app.close());

interface Answer {
  readonly statusCode: number;
  readonly execId: ExecId;
  readonly execState?: string;
}

async function tryPost(key?: string): Promise<Answer> {
  const url = '/api/super/users/u1/exec';
  const { body, statusCode } = await app.inject({
    method: 'POST',
    url,
    headers: { ...ADMIN, ...(key && { 'idempotency-key': key }) },
    payload: { command: 'true' },
  });
  return { statusCode, ...(JSON.parse(body) as { execId: ExecId }) };
}

async function post(): Promise<ExecId> {
  const { statusCode, execId } = await tryPost();
  expect(statusCode).toBe(202);
  return execId;
}

/** The sandbox runs, so that the next exec need not wait for a start. */
async function runningSandbox(): Promise<void> {
  const { sandboxId } = await world.execs.get(await post());
  const row = world.sandboxes.rows.get(sandboxId);
  if (row) world.sandboxes.rows.set(sandboxId, { ...row, observedState: 'running' });
}

describe('launching an exec', () => {
  it('starts its Workflow and then tells its host', async () => {
    app = await startTestApp(world);
    const id = await post();
    expect([...world.workflows.startedExecs]).toContain(id);
    expect(world.hostLink.hinted).toContain(id);
  });

  it('does not tell the host of an exec whose Workflow cannot be started, and says that it never ran', async () => {
    app = await startTestApp(world);
    await runningSandbox();
    world.workflows.isAnswering = false;
    world.workflows.away = true;
    const { statusCode, execId, execState } = await tryPost();
    expect({ statusCode, execState }).toEqual({ statusCode: 503, execState: 'not_started' });
    expect(world.hostLink.hinted).not.toContain(execId);
  });

  it('leaves what it has accepted as it is when the same is asked for again while Temporal fails', async () => {
    app = await startTestApp(world);
    await runningSandbox();
    const first = await tryPost('one');
    expect(first.statusCode).toBe(202);
    world.workflows.isAnswering = false;
    world.workflows.away = true;
    expect(await tryPost('one')).toMatchObject({ statusCode: 202, execId: first.execId });
    expect(await world.execs.get(first.execId)).toMatchObject({ state: 'queued' });
  });

  it('accepts an exec that its host took on while Temporal failed: it runs, and the sweep gives it its Workflow', async () => {
    app = await startTestApp(world);
    await runningSandbox();
    world.hostLink.onHint = async (id) => await world.run(id);
    world.workflows.away = true;
    const { statusCode, execId } = await tryPost();
    expect(statusCode).toBe(202);
    expect(await world.execs.get(execId)).toMatchObject({ state: 'running' });
    expect([...world.execs.workflowsStarted]).not.toContain(execId);
  });

  it('tells the host at once where a Workflow is only for what lasts', async () => {
    app = await startTestApp(world, {}, { execWorkflow: { afterMs: AFTER_MS } });
    await runningSandbox();
    const short = await post();
    expect(world.hostLink.hinted).toContain(short);
    expect([...world.workflows.startedExecs]).not.toContain(short);
    await world.end(short);
    // The time of the second one is over later than that of the first.
    const long = await post();
    while (![...world.workflows.startedExecs].includes(long)) await pause();
    expect([...world.workflows.startedExecs]).not.toContain(short);
  });

  it('gives an exec that waits for its sandbox its Workflow at once, whatever the setting', async () => {
    app = await startTestApp(world, {}, { execWorkflow: { afterMs: AFTER_MS } });
    const id = await post();
    expect([...world.workflows.startedExecs]).toContain(id);
  });
});
