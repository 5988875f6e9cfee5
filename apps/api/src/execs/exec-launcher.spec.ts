import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { ExecId } from '#domain';
import { ADMIN, startTestApp } from '../../../../test/fakes/api-app.js';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';

const AFTER_MS = 100;

let world: MemoryWorld;
let app: NestFastifyApplication;

beforeEach(async () => {
  world = new MemoryWorld();
});
afterEach(async () => app.close());

async function post(): Promise<ExecId> {
  const url = '/api/super/users/u1/exec';
  const { body, statusCode } = await app.inject({
    method: 'POST',
    url,
    headers: ADMIN,
    payload: { command: 'true' },
  });
  expect(statusCode).toBe(202);
  return (JSON.parse(body) as { execId: ExecId }).execId;
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

  it('tells the host at once where a Workflow is only for what lasts', async () => {
    app = await startTestApp(world, {}, { execWorkflow: { afterMs: AFTER_MS } });
    await runningSandbox();
    const short = await post();
    expect(world.hostLink.hinted).toContain(short);
    expect([...world.workflows.startedExecs]).not.toContain(short);
    await world.end(short);
    const long = await post();
    await new Promise((resolve) => setTimeout(resolve, 3 * AFTER_MS));
    expect([...world.workflows.startedExecs]).toContain(long);
    expect([...world.workflows.startedExecs]).not.toContain(short);
  });

  it('gives an exec that waits for its sandbox its Workflow at once, whatever the setting', async () => {
    app = await startTestApp(world, {}, { execWorkflow: { afterMs: AFTER_MS } });
    const id = await post();
    expect([...world.workflows.startedExecs]).toContain(id);
  });
});
