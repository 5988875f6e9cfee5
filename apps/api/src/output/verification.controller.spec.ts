import { createHash } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DomainError, execId, type ExecId } from '#domain';
import { ADMIN, startTestApp } from '../../../../test/fakes/api-app.js';
import { exitRecordOf } from '../../../../test/fakes/exit-record.js';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';
import type { ApiPorts } from '../tokens.js';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('the verification of an exec', () => {
  let world: MemoryWorld;
  let app: NestFastifyApplication;
  let id: ExecId;

  async function open(ports: Partial<ApiPorts> = {}): Promise<void> {
    world = new MemoryWorld();
    app = await startTestApp(world, ports);
    const response = await app.inject({
      method: 'POST',
      url: '/api/super/users/u1/exec',
      headers: ADMIN,
      payload: { command: 'true' },
    });
    id = execId(response.json<{ execId: string }>().execId);
    await world.run(id);
    await world.print(id, { stream: 'stdout', data: 'one' }, { stream: 'stderr', data: 'oops' });
  }
  afterEach(async () => await app.close());

  const verify = async () => await app.inject({ url: `/v1/execs/${id}/verify`, headers: ADMIN });

  async function endWith(stdout: string): Promise<void> {
    const exec = await world.execs.get(id);
    await world.end(id, {
      exitRecord: exitRecordOf({
        endPosition: exec.committedPosition,
        stdoutBytes: 3,
        stderrBytes: 4,
        stdoutSha256: sha256(stdout),
        stderrSha256: sha256('oops'),
      }),
    });
  }

  it('recomputes the hashes and compares them with the exit record', async () => {
    await open();
    expect((await verify()).json()).toMatchObject({ ok: true, proven: false });
    await endWith('one');
    const response = await verify();
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      ok: true,
      proven: true,
      problems: [],
      stdout: { bytes: 3, sha256: sha256('one'), recordedSha256: sha256('one') },
    });
  });

  it('says what is not as it was written', async () => {
    await open();
    await endWith('two');
    expect((await verify()).json()).toMatchObject({
      ok: false,
      problems: [{ message: 'stdout is not what the exit record says.' }],
    });
    world.execs.chunks.clear();
    expect((await verify()).json()).toMatchObject({
      ok: false,
      verifiedPosition: 0,
      problems: [{ position: 0, message: 'Nothing is stored here.' }],
    });
  });

  it('is 410 without output, 503 without storage and 429 when others are at it', async () => {
    const letGo: ((error: unknown) => void)[] = [];
    await open({
      verifier: { verify: async () => await new Promise((_resolve, reject) => void letGo.push(reject)) },
    });
    const first = verify();
    const second = verify();
    while (letGo.length < 2) await new Promise(setImmediate);
    expect((await verify()).json()).toMatchObject({ code: 'rate_limited' });
    letGo.at(-1)?.(new DomainError('dependency_unavailable', 'Away.', { dependency: 's3' }));
    expect((await Promise.race([first, second])).statusCode).toBe(503);
    world.execs.change(id, { outputState: 'expired' });
    expect((await verify()).json()).toMatchObject({ status: 410, code: 'output_expired' });
    const output = await app.inject({ url: `/v1/execs/${id}/output`, headers: ADMIN });
    expect(output.json()).toMatchObject({ status: 410, code: 'output_expired' });
    const accept = { ...ADMIN, accept: 'text/event-stream' };
    const events = await app.inject({ url: `/v1/execs/${id}/output`, headers: accept });
    expect(events.json()).toMatchObject({ code: 'output_expired' });
    const row = await app.inject({ url: `/v1/execs/${id}`, headers: ADMIN });
    expect(row.json()).toMatchObject({ outputState: 'expired', actions: ['cancel'] });
    const status = await app.inject({ url: `/api/super/users/u1/exec/${id}/status`, headers: ADMIN });
    expect(status.json()).toMatchObject({ stdout: '', truncated: true, stdoutBytes: 3 });
  });
});

describe('searching execs', () => {
  it('finds words of the command, and refuses what holds none', async () => {
    const world = new MemoryWorld();
    const app = await startTestApp(world);
    for (const command of ['make install', 'make test', 'ls']) {
      await app.inject({
        method: 'POST',
        url: '/api/super/users/u1/exec',
        headers: ADMIN,
        payload: { command },
      });
    }
    const search = async (q: string) =>
      await app.inject({ url: `/v1/execs?q=${encodeURIComponent(q)}`, headers: ADMIN });
    const found = (await search('MAKE inst*')).json<{ items: { argv: string[] }[] }>();
    expect(found.items.map((one) => one.argv.at(-1))).toEqual(['make install']);
    expect((await search('make')).json<{ items: unknown[] }>().items).toHaveLength(2);
    expect((await search(' -- ')).json()).toMatchObject({ code: 'bad_request', pointer: '/q' });
    expect((await search('x'.repeat(201))).statusCode).toBe(400);
    await app.close();
  });
});
