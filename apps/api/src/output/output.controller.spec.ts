import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { execId, type ExecId } from '#domain';
import { ADMIN, startTestApp } from '../../../../test/fakes/api-app.js';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';

describe('the output of an exec over HTTP', () => {
  let world: MemoryWorld;
  let app: NestFastifyApplication;
  let id: ExecId;

  beforeEach(async () => {
    world = new MemoryWorld();
    app = await startTestApp(world);
    const response = await app.inject({
      method: 'POST',
      url: '/api/super/users/u1/exec',
      headers: ADMIN,
      payload: { command: 'true' },
    });
    id = execId(response.json<{ execId: string }>().execId);
    await world.run(id);
  });
  afterEach(async () => await app.close());

  const get = async (query: string, headers: Record<string, string> = {}) =>
    await app.inject({ url: `/v1/execs/${id}/output?${query}`, headers: { ...ADMIN, ...headers } });

  async function printTwoStreams(): Promise<void> {
    await world.print(id, { stream: 'stdout', data: 'one ' }, { stream: 'stderr', data: 'oops ' });
    await world.print(id, { stream: 'stdout', data: 'two ' }, { stream: 'stdout', data: 'three' });
  }

  it('is the raw bytes of one stream from any byte on', async () => {
    await printTwoStreams();
    const whole = await get('stream=stdout');
    expect(whole.statusCode).toBe(200);
    expect(whole.body).toBe('one two three');
    expect(whole.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': '13',
      'berth-exec-state': 'running',
      'berth-stream-bytes': '13',
    });
    for (let from = 0; from <= 13; from += 1) {
      expect((await get(`stream=stdout&from=${from}`)).body).toBe('one two three'.slice(from));
    }
    expect((await get('stream=stderr')).body).toBe('oops ');
  });

  it('is 416 beyond the end and serves a single range', async () => {
    await printTwoStreams();
    expect((await get('stream=stdout&from=14')).json()).toMatchObject({ code: 'range_not_satisfiable' });
    const part = await get('stream=stdout', { range: 'bytes=4-6' });
    expect(part.statusCode).toBe(206);
    expect(part.body).toBe('two');
    expect(part.headers['content-range']).toBe('bytes 4-6/13');
    expect((await get('stream=stdout', { range: 'bytes=-5' })).body).toBe('three');
    expect((await get('stream=stdout', { range: 'bytes=13-' })).statusCode).toBe(416);
    expect((await get('stream=stdout', { range: 'bytes=0-1,3-4' })).statusCode).toBe(200);
  });

  it('answers HEAD with the same headers and no bytes', async () => {
    await printTwoStreams();
    const head = await app.inject({ method: 'HEAD', url: `/v1/execs/${id}/output`, headers: ADMIN });
    expect(head.statusCode).toBe(200);
    expect(head.headers['content-length']).toBe('13');
    expect(head.body).toBe('');
  });

  describe('followed live', () => {
    let port: number;

    beforeEach(async () => {
      await app.listen(0, '127.0.0.1');
      port = (app.getHttpServer().address() as AddressInfo).port;
    });

    async function follow(query: string): Promise<IncomingMessage> {
      const path = `/v1/execs/${id}/output?follow=1&${query}`;
      const request = httpRequest({ host: '127.0.0.1', port, path, headers: ADMIN }).end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      return response;
    }

    async function textOf(response: IncomingMessage): Promise<string> {
      let text = '';
      for await (const chunk of response) text += (chunk as Buffer).toString();
      return text;
    }

    it('goes from stored to live without a gap and ends with the exec', async () => {
      await printTwoStreams();
      const text = textOf(await follow('stream=stdout&from=4'));
      await world.print(id, { stream: 'stdout', data: ' four' });
      await world.print(id, { stream: 'stderr', data: 'noise' });
      await world.print(id, { stream: 'stdout', data: ' five' });
      await world.end(id);
      expect(await text).toBe('two three four five');
    });

    it('goes on when a wake-up was lost', async () => {
      const text = textOf(await follow('stream=stdout'));
      world.wakes.mute = true;
      await world.print(id, { stream: 'stdout', data: 'unheard' });
      await world.end(id);
      expect(await text).toBe('unheard');
    });

    it('stops reading when the client goes', async () => {
      const response = await follow('stream=stdout');
      await printTwoStreams();
      await once(response, 'data');
      expect(world.wakes.topicCount).toBe(1);
      response.destroy();
      while (world.wakes.topicCount > 0) await new Promise((resolve) => setImmediate(resolve));
    });

    it('is cut, not ended, when the API stops', async () => {
      const response = await follow('stream=stdout');
      await world.print(id, { stream: 'stdout', data: 'so far' });
      await once(response, 'data');
      const failed = once(response, 'error');
      await app.close();
      const [error] = (await failed) as [NodeJS.ErrnoException];
      expect(error.code).toBe('ECONNRESET');
    });
  });
});
