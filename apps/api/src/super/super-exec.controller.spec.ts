import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { execId } from '#domain';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';
import { ADMIN, startTestApp } from '../../../../test/fakes/api-app.js';

describe("the predecessor's two addresses", () => {
  let world: MemoryWorld;
  let app: NestFastifyApplication;

  beforeEach(async () => {
    world = new MemoryWorld();
    app = await startTestApp(world);
  });
  afterEach(async () => await app.close());

  const post = async (payload: object, headers: Record<string, string> = ADMIN) =>
    await app.inject({ method: 'POST', url: '/api/super/users/u1/exec', headers, payload });

  it('accept a command, make the sandbox named default and give the address of the status', async () => {
    const response = await post({ command: 'echo hello' });
    expect(response.statusCode).toBe(202);
    const body = response.json<{ execId: string; status: string; pollUrl: string; sandboxId: string }>();
    expect(body.status).toBe('queued');
    expect(body.pollUrl).toBe(`/api/super/users/u1/exec/${body.execId}/status`);
    expect(response.headers['location']).toBe(body.pollUrl);
    const [sandbox] = world.sandboxes.rows.values();
    expect(sandbox).toMatchObject({ ownerId: 'u1', name: 'default', id: body.sandboxId });
    expect(world.workflows.startedOperations.size).toBe(1);
    expect([...world.workflows.startedExecs]).toEqual([body.execId]);
  });

  it('show the end with the exit code and the output', async () => {
    const id = execId((await post({ command: 'echo hello' })).json<{ execId: string }>().execId);
    await world.run(id);
    await world.print(id, { stream: 'stdout', data: 'hello\n' }, { stream: 'stderr', data: 'careful\n' });
    await world.end(id);
    const url = `/api/super/users/u1/exec/${id}/status`;
    const response = await app.inject({ url, headers: ADMIN });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      status: 'succeeded',
      exitCode: 0,
      stdout: 'hello\n',
      stderr: 'careful\n',
      truncated: false,
    });
    const other = await app.inject({ url: url.replace('u1', 'u2'), headers: ADMIN });
    expect(other.statusCode).toBe(404);
  });

  it('cut inline output at 64 KiB between two characters and say where all of it is', async () => {
    const id = execId((await post({ command: 'yes' })).json<{ execId: string }>().execId);
    await world.run(id);
    await world.print(id, { stream: 'stdout', data: `a${'é'.repeat(40_000)}` });
    const status = (await app.inject({ url: `/api/super/users/u1/exec/${id}/status`, headers: ADMIN })).json<{
      stdout: string;
      truncated: boolean;
      outputUrl: string;
    }>();
    expect(status.truncated).toBe(true);
    expect(status.outputUrl).toBe(`/v1/execs/${id}/output`);
    expect(status.stdout).toBe(`a${'é'.repeat(32_767)}`);
  });

  it('create nothing without the secret', async () => {
    for (const headers of [{}, { 'x-admin-secret': 'wrong' }]) {
      const response = await post({ command: 'echo hello' }, headers as Record<string, string>);
      expect(response.statusCode).toBe(401);
      expect(response.headers['content-type']).toContain('application/problem+json');
      expect(response.json()).toMatchObject({ code: 'unauthenticated', status: 401 });
    }
    expect(world.sandboxes.rows.size).toBe(0);
    expect(world.execs.rows.size).toBe(0);
  });

  it('run once for one Idempotency-Key and refuse the key for another command', async () => {
    const headers = { ...ADMIN, 'idempotency-key': 'k1' };
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => await post({ command: 'echo hello' }, headers)),
    );
    const ids = new Set(answers.map((answer) => answer.json<{ execId: string }>().execId));
    expect(answers.map((answer) => answer.statusCode)).toEqual(answers.map(() => 202));
    expect(ids.size).toBe(1);
    expect(world.execs.rows.size).toBe(1);
    const again = await post({ command: 'echo hello' }, headers);
    expect(again.headers['idempotency-replayed']).toBe('true');
    const other = await post({ command: 'echo other' }, headers);
    expect(other.statusCode).toBe(422);
    expect(other.json()).toMatchObject({ code: 'idempotency_key_reused' });
  });

  it('end the row as not_started and answer 503 with its id while Temporal is away', async () => {
    world.workflows.away = true;
    const response = await post({ command: 'echo hello' });
    expect(response.statusCode).toBe(503);
    expect(response.headers['retry-after']).toBe('2');
    const problem = response.json<{ execId: string }>();
    expect(problem).toMatchObject({
      code: 'dependency_unavailable',
      dependency: 'temporal',
      execState: 'not_started',
    });
    expect(world.execs.rows.get(execId(problem.execId))?.state).toBe('not_started');
    // Whether its run is there cannot be known now; the sweep starts it if not.
    expect([...world.operations.rows.values()].map((row) => row.state)).toEqual(['pending']);
  });
});
