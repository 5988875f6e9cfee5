import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { execId, type ExecId } from '#domain';
import { WebSocket } from 'ws';
import { ADMIN, startTestApp } from '../../../../test/fakes/api-app.js';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';
import { SocketClient } from '../../../../test/fakes/socket-client.js';

const CHUNK_BYTES = 100_000;
const CHUNKS = 300;
/** What the two kernels' socket buffers may hold besides what the process holds. */
const KERNEL_BYTES_MAX = 12_000_000;

describe('a reader that does not read', () => {
  let world: MemoryWorld;
  let app: NestFastifyApplication;
  let id: ExecId;
  let readBytes = 0;

  beforeEach(async () => {
    world = new MemoryWorld();
    app = await startTestApp(world);
    await app.listen(0, '127.0.0.1');
    const payload = { command: 'true' };
    const response = await app.inject({
      method: 'POST',
      url: '/api/super/users/u1/exec',
      headers: ADMIN,
      payload,
    });
    id = execId(response.json<{ execId: string }>().execId);
    await world.run(id);
    for (let n = 0; n < CHUNKS; n += 1) {
      await world.print(id, { stream: 'stdout', data: String(n % 10).repeat(CHUNK_BYTES) });
    }
    await world.end(id);
    const readChunks = world.execs.readChunks.bind(world.execs);
    readBytes = 0;
    world.execs.readChunks = async (...args) => {
      const chunks = await readChunks(...args);
      for (const chunk of chunks) readBytes += chunk.frames.byteLength;
      return chunks;
    };
  });
  afterEach(async () => await app.close());

  async function subscribe(): Promise<SocketClient> {
    const { port } = app.getHttpServer().address() as AddressInfo;
    const client = new SocketClient(new WebSocket(`ws://127.0.0.1:${port}/v1/ws`, { headers: ADMIN }));
    await once(client.socket, 'open');
    client.send({ t: 'sub', id: 's1', topic: `exec:${id}` });
    await client.next('ack');
    return client;
  }

  /** Until nothing was read from the store for a while: there is no event for what does not happen. */
  async function standstill(): Promise<number> {
    for (let before = -1; before !== readBytes;) {
      before = readBytes;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    return readBytes;
  }

  it('stops the reading, holds up nobody else, and gets everything once it reads', async () => {
    const stalled = await subscribe();
    stalled.socket.pause();
    expect(await standstill()).toBeLessThan(KERNEL_BYTES_MAX);

    const quick = await subscribe();
    await quick.next('end');
    expect(quick.output.reduce((sum, { text }) => sum + text.length, 0)).toBe(CHUNKS * CHUNK_BYTES);

    stalled.socket.resume();
    await stalled.next('end');
    expect(stalled.output.map(({ text }) => text[0]).join('')).toBe(
      quick.output.map(({ text }) => text[0]).join(''),
    );
    for (const client of [stalled, quick]) client.socket.terminate();
  });
});
