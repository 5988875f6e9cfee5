import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { execId, type ExecId } from '#domain';
import { ADMIN, startTestApp } from '../../../../test/fakes/api-app.js';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';

interface Event {
  readonly event: string;
  readonly id?: string;
  readonly stream?: string;
  readonly position: number;
  readonly encoding?: string;
  readonly data?: string;
  readonly [field: string]: unknown;
}

let world: MemoryWorld;
let app: NestFastifyApplication;
let id: ExecId;

beforeEach(async () => {
  world = new MemoryWorld();
  app = await startTestApp(world);
  const payload = { command: 'true' };
  const request = { method: 'POST', url: '/api/super/users/u1/exec', headers: ADMIN, payload } as const;
  id = execId((await app.inject(request)).json<{ execId: string }>().execId);
  await world.run(id);
});
afterEach(async () => await app.close());

const EVENT_STREAM = { accept: 'text/event-stream' };

async function get(query: string, headers: Record<string, string> = {}) {
  return await app.inject({ url: `/v1/execs/${id}/output?${query}`, headers: { ...ADMIN, ...headers } });
}

/** Server-sent events as a browser reads them. */
function eventsOf(text: string): Event[] {
  return text
    .split('\n\n')
    .map(
      (block) =>
        new Map(
          block.split('\n').map((line) => [line.split(': ', 1)[0], line.slice(line.indexOf(': ') + 2)]),
        ),
    )
    .filter((fields) => fields.has('data'))
    .map((fields) => {
      const event = JSON.parse(String(fields.get('data'))) as Event;
      expect(fields.get('event')).toBe(event.event);
      return { ...event, id: String(fields.get('id')) };
    });
}

const linesOf = (text: string): Event[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event);

const bytesOf = (events: readonly Event[]): Buffer =>
  Buffer.concat(
    events
      .filter(({ event }) => event === 'output')
      .map(({ encoding, data }) => Buffer.from(String(data), encoding === 'base64' ? 'base64' : 'utf8')),
  );

async function printTwoStreams(): Promise<void> {
  await world.print(id, { stream: 'stdout', data: 'one ' }, { stream: 'stderr', data: 'oops ' });
  await world.print(id, { stream: 'stdout', data: 'two ' }, { stream: 'stdout', data: 'three' });
}

describe('output as server-sent events', () => {
  it('has the states, both streams in their order with positions and times, and the end', async () => {
    await printTwoStreams();
    await world.end(id);
    const response = await get('', EVENT_STREAM);
    expect(response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    const events = eventsOf(response.body);
    expect(events.map(({ event, stream, data }) => [event, stream, data])).toEqual([
      ['output', 'stdout', 'one '],
      ['output', 'stderr', 'oops '],
      ['output', 'stdout', 'two '],
      ['output', 'stdout', 'three'],
      ['end', undefined, undefined],
    ]);
    expect(events.slice(0, -1).every((event) => event.id === String(event.position))).toBe(true);
    expect(events.every((event) => event.event !== 'output' || Number(event['timeMicros']) > 0)).toBe(true);
    expect(events.at(-1)).toMatchObject({ state: 'succeeded', exitCode: 0, exec: { id } });
  });

  it('has everything once where it moves into object storage while it is read', async () => {
    const data = 'x'.repeat(130 * 1_024);
    for (let n = 0; n < 3; n += 1) await world.print(id, { stream: 'stdout', data });
    await world.end(id);
    world.execs.isCutAnew = true;
    const positions = eventsOf((await get('', EVENT_STREAM)).body).map(({ position }) => position);
    expect(new Set(positions).size).toBe(3);
    expect(positions).toHaveLength(4);
  });

  it('goes on after any event that was seen, and has nothing more after the end', async () => {
    await printTwoStreams();
    await world.end(id);
    const all = eventsOf((await get('', EVENT_STREAM)).body);
    for (const [n, { id: seen }] of all.entries()) {
      const response = await get('after=0', { ...EVENT_STREAM, 'last-event-id': String(seen) });
      const isLast = n === all.length - 1;
      expect(response.statusCode).toBe(isLast ? 204 : 200);
      expect(eventsOf(response.body)).toEqual(all.slice(n + 1));
    }
  });

  it('can be of one stream only', async () => {
    await printTwoStreams();
    const events = eventsOf((await get('stream=stderr&follow=0', EVENT_STREAM)).body);
    expect(bytesOf(events).toString()).toBe('oops ');
  });

  it('goes on live until the end, also when a wake-up was lost', async () => {
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    const path = `/v1/execs/${id}/output`;
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      path,
      headers: { ...ADMIN, ...EVENT_STREAM },
    }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    const read = (async () => {
      for await (const piece of response) text += String(piece);
    })();
    await printTwoStreams();
    world.wakes.mute = true;
    await world.print(id, { stream: 'stdout', data: ' four' });
    await world.end(id);
    await read;
    const events = eventsOf(text);
    expect(events[0]).toMatchObject({ event: 'state', state: 'running', id: '0' });
    expect(bytesOf(events).toString()).toBe('one oops two three four');
    expect(events.at(-1)).toMatchObject({ event: 'end', state: 'succeeded' });
  });

  it('is cut, not ended, when the API stops', async () => {
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    const path = `/v1/execs/${id}/output`;
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      path,
      headers: { ...ADMIN, ...EVENT_STREAM },
    }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    await once(response, 'data');
    const failed = once(response, 'error');
    response.resume();
    await app.close();
    expect(((await failed) as [NodeJS.ErrnoException])[0].code).toBe('ECONNRESET');
  });
});

describe('output as lines of JSON', () => {
  it('is both streams in their order where both are asked for', async () => {
    await printTwoStreams();
    const response = await get('stream=both');
    expect(response.headers['content-type']).toBe('application/x-ndjson; charset=utf-8');
    const lines = linesOf(response.body);
    expect(lines[0]).toMatchObject({ event: 'state', state: 'running' });
    expect(bytesOf(lines).toString()).toBe('one oops two three');
    expect(lines.map(({ event }) => event)).not.toContain('end');
    const after = lines[2]?.position ?? 0;
    expect(bytesOf(linesOf((await get(`stream=both&after=${after}`)).body)).toString()).toBe('two three');
  });

  it('ends with the end of an exec that has ended', async () => {
    await world.end(id);
    expect(linesOf((await get('', { accept: 'application/x-ndjson' })).body)).toMatchObject([
      { event: 'end', state: 'succeeded', position: 0 },
    ]);
  });

  const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  it.each<[string, Buffer, string]>([
    ['plain text', Buffer.from('héllo \u{1F600} wörld\n'.repeat(10_000)), 'utf-8'],
    ['lines and colours', Buffer.from('\u001b[31mred\u001b[0m\r\n"quoted"\\\t'), 'utf-8'],
    ['every byte', EVERY_BYTE, 'base64'],
    ['zeros', Buffer.alloc(200_000), 'base64'],
    ['half a character', Buffer.from('é').subarray(0, 1), 'base64'],
    ['line separators', Buffer.from('\u2028\u2029'), 'utf-8'],
  ])('loses no byte of %s', async (_what, bytes, encoding) => {
    await world.print(id, { stream: 'stdout', data: bytes });
    await world.end(id);
    const lines = linesOf((await get('stream=both')).body);
    expect(lines[0]).toMatchObject({ event: 'output', encoding });
    expect(bytesOf(lines).equals(bytes)).toBe(true);
    const asBase64 = linesOf((await get('stream=both&encoding=base64')).body);
    expect(asBase64[0]).toMatchObject({ encoding: 'base64' });
    expect(bytesOf(asBase64).equals(bytes)).toBe(true);
    expect(bytesOf(eventsOf((await get('', EVENT_STREAM)).body)).equals(bytes)).toBe(true);
  });
});

describe('a request for events', () => {
  it.each<[string, Record<string, string>, object]>([
    ['stream=both&from=0', {}, { pointer: '/from' }],
    ['stream=both', { range: 'bytes=0-1' }, { header: 'Range' }],
    ['stream=both&after=1', {}, { code: 'position_invalid', pointer: '/after' }],
    ['stream=both&after=999999', {}, { code: 'position_invalid', pointer: '/after' }],
    ['', { ...EVENT_STREAM, 'last-event-id': '1; DROP' }, { header: 'Last-Event-ID' }],
    ['', { ...EVENT_STREAM, 'last-event-id': '-1' }, { header: 'Last-Event-ID' }],
    ['stream=stdout&after=0', {}, { pointer: '/after' }],
    ['encoding=base64', {}, { pointer: '/encoding' }],
    ['stream=terminal', {}, { pointer: '/stream' }],
  ])('is 400 for %s %j', async (query, headers, problem) => {
    await printTwoStreams();
    const response = await get(query, headers);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject(problem);
  });
});
