import { DomainError, execId, hostId, ownerId, sandboxId, tenantId, type ExecId } from '#domain';
import { pino } from 'pino';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';
import { ExecReader, type ReadOptions } from './exec-reader.js';
import { placedFramesOf } from './frame-position.js';
import { LiveFeeds } from './live-feeds.js';
import { RecentOutput } from './recent-output.js';
import { slicesOf } from './stream-slices.js';

const ID = execId('0190b0a0-0000-7000-8000-000000000001');
const TENANT = tenantId('default');

/** Small numbers that look random and are the same in each run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    yield Math.floor(state / 65_536);
  }
}

async function worldWithExec(): Promise<MemoryWorld> {
  const world = new MemoryWorld();
  const sandbox = sandboxId('0190b0a0-0000-7000-8000-000000000002');
  const owner = ownerId('u1');
  await world.sandboxes.ensureStarted(
    {
      id: sandbox,
      tenantId: TENANT,
      ownerId: owner,
      name: 'x',
      image: 'i',
      tier: 'small',
      hostId: hostId('h'),
    },
    {
      id: 'op' as never,
      tenantId: TENANT,
      ownerId: owner,
      sandboxId: sandbox,
      kind: 'start',
      requestHash: '',
    },
  );
  const request = {
    argv: ['a'],
    env: {},
    workingDirectory: null,
    user: null,
    stdin: { kind: 'none' as const },
    tty: null,
    idleTimeoutSeconds: null,
    allowBackground: false,
    timeoutSeconds: 1,
    labels: {},
    queueTimeoutSeconds: 1,
    outputBytesMax: 1,
  };
  await world.execs.create({
    id: ID,
    tenantId: TENANT,
    ownerId: owner,
    sandboxId: sandbox,
    request,
    requestHash: '',
  });
  await world.run(ID);
  return world;
}

const optionsOf = (change: Partial<ReadOptions>): ReadOptions => ({
  of: 'frames',
  from: 0,
  follow: true,
  signal: new AbortController().signal,
  ...change,
});

function readerOf(world: MemoryWorld): ExecReader {
  const recent = new RecentOutput();
  const feeds = new LiveFeeds(world.hostLink, recent, pino({ enabled: false }));
  return new ExecReader(world.execs, world.execs, world.wakes, feeds, recent);
}

describe('the reader of an exec', () => {
  it('gives every byte once, whatever is written while it reads', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const world = await worldWithExec();
      const reader = readerOf(world);
      const random = numbers(seed);
      const written: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' };
      const readers = [streamOf(reader, ID, 'stdout'), streamOf(reader, ID, 'stderr')];
      const framed = framesOf(reader, ID);
      for (let n = 0; n < 50; n += 1) {
        const stream = random.next().value % 2 === 0 ? 'stdout' : 'stderr';
        const data = `${n}:${'x'.repeat(random.next().value % 50)};`;
        written[stream] += data;
        world.wakes.mute = random.next().value % 5 === 0;
        await world.print(ID, { stream, data });
        if (random.next().value % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      world.wakes.mute = false;
      await world.end(ID);
      expect(await Promise.all(readers)).toEqual([written.stdout, written.stderr]);
      expect(await framed).toEqual(written);
      expect(world.wakes.topicCount).toBe(0);
    }
  });

  it('gives every byte once where its host feeds it, and where the feed breaks off again and again', async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const world = await worldWithExec();
      const random = numbers(seed);
      let fetches = 0;
      world.hostLink.feedFrom(world.execs, () => random.next().value % 7 === 0);
      const readChunks = world.execs.readChunks.bind(world.execs);
      world.execs.readChunks = async (...args) => {
        fetches += 1;
        return await readChunks(...args);
      };
      const reader = readerOf(world);
      const written: Record<'stdout' | 'stderr', string> = {
        stdout: 'o'.repeat(300_000),
        stderr: 'e'.repeat(300_000),
      };
      // Much is there when the readers come, which is what makes a feed worth its while.
      for (const stream of ['stdout', 'stderr'] as const) {
        for (const data of [written[stream].slice(0, 200_000), written[stream].slice(200_000)]) {
          await world.print(ID, { stream, data });
        }
      }
      const readers = [streamOf(reader, ID, 'stdout'), streamOf(reader, ID, 'stderr')];
      const framed = [framesOf(reader, ID), framesOf(reader, ID)];
      for (let n = 0; n < 60; n += 1) {
        const stream = random.next().value % 4 > 0 ? ('stdout' as const) : ('stderr' as const);
        const pieces = Array.from({ length: 1 + (random.next().value % 4) }, (_, m) => {
          const data = `${n}.${m}:${'x'.repeat(random.next().value % 30_000)};`;
          written[stream] += data;
          return { stream, data };
        });
        await world.print(ID, ...pieces);
        // With wake-ups of the row that come late or never, what is read comes from the feed.
        world.wakes.mute = n > 5;
        if (random.next().value % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      world.wakes.mute = false;
      await world.end(ID);
      world.hostLink.endFeeds();
      expect(await Promise.all(readers)).toEqual([written.stdout, written.stderr]);
      expect(await Promise.all(framed)).toEqual([written, written]);
      expect(world.hostLink.feedsOpened).toBeGreaterThan(0);
      expect(world.hostLink.feedsOpen).toBe(0);
      expect(world.wakes.topicCount).toBe(0);
      expect(fetches).toBeLessThan(2 * 60);
    }
  });

  it('holds one fetch at a time and gives its turn back', async () => {
    const world = await worldWithExec();
    for (let n = 0; n < 40; n += 1) await world.print(ID, { stream: 'stdout', data: 'x'.repeat(50_000) });
    await world.end(ID);
    let held = 0;
    let turns = 0;
    const turn = async (): Promise<() => void> => {
      await Promise.resolve();
      turns += 1;
      expect((held += 1)).toBe(1);
      return () => (held -= 1);
    };
    const reader = readerOf(world);
    for await (const event of reader.read(ID, optionsOf({ turn }))) if (event.kind === 'end') break;
    expect(held).toBe(0);
    expect(turns).toBeGreaterThan(5);
  });

  it('says that stored output is missing instead of ending', async () => {
    const world = await worldWithExec();
    await world.print(ID, { stream: 'stdout', data: 'lost' });
    world.execs.chunks.clear();
    await world.end(ID);
    await expect(streamOf(readerOf(world), ID, 'stdout')).rejects.toMatchObject({
      code: 'spool_corrupt',
    });
  });

  it('tells at once that the database is away when it does not follow', async () => {
    const world = await worldWithExec();
    world.execs.away = new DomainError('dependency_unavailable', 'Away.', { dependency: 'postgres' });
    const events = readerOf(world).read(ID, optionsOf({ follow: false }));
    await expect(events.next()).rejects.toMatchObject({ code: 'dependency_unavailable' });
  });
});

async function streamOf(reader: ExecReader, id: ExecId, stream: 'stdout' | 'stderr'): Promise<string> {
  let text = '';
  for await (const event of reader.read(id, optionsOf({ of: stream }))) {
    if (event.kind !== 'chunk') continue;
    for (const slice of slicesOf(event.chunk, stream, text.length)) text += Buffer.from(slice).toString();
  }
  return text;
}

async function framesOf(reader: ExecReader, id: ExecId): Promise<Record<string, string>> {
  const text: Record<string, string> = { stdout: '', stderr: '' };
  for await (const event of reader.read(id, optionsOf({}))) {
    if (event.kind !== 'chunk') continue;
    for (const { frame } of placedFramesOf(event.chunk, event.from))
      text[frame.stream] += Buffer.from(frame.payload).toString();
  }
  return text;
}
