import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DomainError, execId, type ExecId } from '#domain';
import { WebSocket } from 'ws';
import { ADMIN, ADMIN_SECRET, startTestApp } from '../../../../test/fakes/api-app.js';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';
import { TerminalSocket } from '../../../../test/fakes/terminal-socket.js';

const UNKNOWN = '0190b0a0-0000-7000-8000-000000000000';

describe('the terminal socket', () => {
  let world: MemoryWorld;
  let app: NestFastifyApplication;
  let id: ExecId;
  const clients: TerminalSocket[] = [];

  beforeEach(async () => {
    world = new MemoryWorld();
    app = await startTestApp(world);
    await app.listen(0, '127.0.0.1');
    id = await create({ argv: ['bash'], tty: { columns: 80, rows: 24 } });
    await world.run(id);
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.terminate();
    await app.close();
  });

  async function create(payload: object): Promise<ExecId> {
    const request = { method: 'POST' as const, url: '/api/super/users/u1/exec', headers: ADMIN, payload };
    return execId((await app.inject(request)).json<{ execId: string }>().execId);
  }

  function dial(query = '', exec: string = id, headers: Record<string, string> = ADMIN): TerminalSocket {
    const { port } = app.getHttpServer().address() as AddressInfo;
    const url = `ws://127.0.0.1:${port}/v1/execs/${exec}/terminal${query}`;
    const client = new TerminalSocket(new WebSocket(url, { headers }));
    clients.push(client);
    return client;
  }

  async function writer(name: string): Promise<TerminalSocket> {
    const client = dial(`?writer=${name}`);
    await client.status('writer');
    client.take();
    expect(await client.status('writer')).toMatchObject({ writer: true });
    return client;
  }

  it('shows everything from the beginning, then what comes, then the end', async () => {
    await world.print(id, { stream: 'terminal', data: '$ ' });
    const client = dial();
    expect(await client.status('open')).toMatchObject({ state: 'running', size: { columns: 80, rows: 24 } });
    await world.print(id, { stream: 'terminal', data: 'ls\r\n' });
    await client.until(() => client.shown === '$ ls\r\n');
    await world.end(id, { state: 'failed', exitCode: 3 });
    expect(await client.status('end')).toMatchObject({ exitCode: 3, position: client.position });
    await expect(client.closed).resolves.toBe(1000);
  });

  it('shows everything once where it moves into object storage while it is shown', async () => {
    await world.print(id, { stream: 'terminal', data: 'one ' });
    const client = dial();
    await client.until(() => client.shown === 'one ');
    world.execs.isCutAnew = true;
    await world.print(id, { stream: 'terminal', data: 'two' });
    await world.end(id);
    await client.status('end');
    expect(client.shown).toBe('one two');
  });

  it('goes on after the position of a client that comes again', async () => {
    await world.print(id, { stream: 'terminal', data: 'one ' }, { stream: 'terminal', data: 'two' });
    const first = dial();
    await first.until(() => first.shown === 'one two');
    await world.print(id, { stream: 'terminal', data: ' three' });
    await world.end(id);
    const second = dial(`?after=${first.position}`);
    await second.status('end');
    expect(second.shown).toBe(' three');
    await expect(dial('?after=1').closed).resolves.toBe(4400);
  });

  it('applies what its writer types, once, and says how far', async () => {
    const client = await writer('w');
    client.type(0, 'echo ');
    client.type(0, 'echo hi');
    client.type(7, '\n');
    await client.until(() => client.applied.at(-1) === 8);
    expect(world.hostLink.inputOf(id)).toBe('echo hi\n');
    client.resize(132, 0);
    client.type(8, 'x');
    await client.until(() => client.applied.at(-1) === 9);
    expect(world.hostLink.sizes.at(-1)).toEqual({ size: { columns: 132, rows: 1 }, writer: 'w' });
  });

  it('keeps what was typed while the host is away', async () => {
    const client = await writer('w');
    world.hostLink.away = new DomainError('dependency_unavailable', 'away', { dependency: 'host' });
    client.type(0, 'later');
    while (world.hostLink.refusals === 0) await new Promise(setImmediate);
    world.hostLink.away = undefined;
    await client.until(() => client.applied.at(-1) === 5);
    expect(world.hostLink.inputOf(id)).toBe('later');
  });

  it('tells a writer that another one has taken the input, and applies nothing of his any more', async () => {
    const first = await writer('first');
    first.type(0, 'mine');
    await first.until(() => first.applied.length > 0);
    const second = await writer('second');
    expect(await first.status('writer')).toMatchObject({ writer: false, appliedTo: 4 });
    first.type(4, 'stolen');
    second.type(4, ' yours');
    await second.until(() => second.applied.length > 0);
    expect(world.hostLink.inputOf(id)).toBe('mine yours');
  });

  it('lets a client without a name only look', async () => {
    const viewer = dial();
    expect(await viewer.status('writer')).toMatchObject({ writer: false });
    viewer.take();
    await expect(viewer.closed).resolves.toBe(4400);
  });

  it('closes on a client that sends too far ahead, or what is no message', async () => {
    const client = await writer('w');
    world.hostLink.away = new DomainError('dependency_unavailable', 'away', { dependency: 'host' });
    for (let piece = 0; piece < 9; piece += 1) client.type(piece * 32_768, new Uint8Array(32_768));
    await expect(client.closed).resolves.toBe(4429);
    for (const message of [Buffer.of(), Buffer.of(9), Buffer.of(1, 0), Buffer.alloc(40_000, 1)]) {
      const other = dial();
      await other.status('open');
      other.socket.send(message);
      await expect(other.closed).resolves.toBe(4400);
    }
  });

  it('is only for those who say who they are', async () => {
    const wrong = dial('', id, { 'x-admin-secret': 'wrong' });
    await expect(once(wrong.socket, 'open')).rejects.toThrow('401');
    const silent = dial('', id, {});
    await once(silent.socket, 'open');
    silent.take();
    await expect(silent.closed).resolves.toBe(4401);
    const known = dial('', id, {});
    await once(known.socket, 'open');
    known.socket.send(JSON.stringify({ t: 'auth', adminSecret: ADMIN_SECRET }));
    await known.status('open');
  });

  it('is not there for an exec without one, or for no exec', async () => {
    const plain = await create({ command: 'true' });
    const client = dial('', plain);
    expect(await client.status('error')).toMatchObject({ code: 'invalid_state' });
    await expect(client.closed).resolves.toBe(4409);
    await expect(dial('', UNKNOWN).closed).resolves.toBe(4404);
    await expect(dial('?after=x').closed).resolves.toBe(4400);
  });
});
