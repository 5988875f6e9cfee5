import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  encodeFrame,
  execId,
  hostId,
  type Chunk,
  type CommittedWatcher,
  type HostServices,
  type HostStore,
} from '#domain';
import { ChunkDecoder, encodeChunk } from './chunk.codec.js';
import { piecesOf } from './chunk-pieces.js';
import { HttpHostLink } from './http-host-link.js';
import { StreamServer } from './stream-server.js';

const ID = execId('0190b0a0-0000-7000-8000-000000000001');
const OTHER = execId('0190b0a0-0000-7000-8000-000000000002');
const HOST = hostId('local');
const SECRET = 'a secret of a test, long enough';
const MEBIBYTE = 1_024 * 1_024;

/** Frames of both streams, one after the other, beginning at some place far behind the start. */
function chunkOf(payloadBytes: readonly number[], position = 2 ** 40): Chunk {
  const to = { stdout: 7, stderr: 2 ** 33 };
  const frames = payloadBytes.map((length, n) => {
    const stream = n % 2 === 0 ? ('stdout' as const) : ('stderr' as const);
    const offset = to[stream];
    to[stream] += length;
    return encodeFrame({ stream, flags: 0, offset, timeMicros: n, payload: Buffer.alloc(length, `${n}:`) });
  });
  const bytes = Buffer.concat(frames);
  return {
    position,
    endPosition: position + bytes.byteLength,
    stdoutFrom: 7,
    stdoutTo: to.stdout,
    stderrFrom: 2 ** 33,
    stderrTo: to.stderr,
    frames: bytes,
  };
}

const bytesOf = (chunks: readonly Chunk[]): Buffer => Buffer.concat(chunks.map((chunk) => chunk.frames));

function expectToContinue(chunks: readonly Chunk[], whole: Chunk): void {
  expect(chunks[0]).toMatchObject({ position: whole.position, stdoutFrom: whole.stdoutFrom });
  chunks.slice(1).forEach((chunk, n) => {
    const before = chunks[n] as Chunk;
    expect([chunk.position, chunk.stdoutFrom, chunk.stderrFrom]).toEqual([
      before.endPosition,
      before.stdoutTo,
      before.stderrTo,
    ]);
  });
  const { endPosition, stdoutTo, stderrTo } = whole;
  expect(chunks.at(-1)).toMatchObject({ endPosition, stdoutTo, stderrTo });
  expect(bytesOf(chunks).equals(Buffer.from(whole.frames))).toBe(true);
}

describe('committed output on its way to the API', () => {
  it('is cut between frames, each piece as large as it may be', () => {
    const whole = chunkOf([10, 20, 300, 5, 5, 5]);
    const pieces = piecesOf(whole, 120);
    expectToContinue(pieces, whole);
    expect(pieces.map((piece) => piece.frames.byteLength)).toEqual([78, 324, 87]);
    expect(piecesOf(whole, 10_000)).toEqual([whole]);
  });

  it('arrives as it was sent, however it is cut on the way', () => {
    const whole = chunkOf([1, 2, 3, 250_000]);
    const sent = Buffer.concat(piecesOf(whole, 100).flatMap((piece) => encodeChunk(piece)));
    for (const step of [1, 7, 44, 1_000, sent.byteLength]) {
      const decoder = new ChunkDecoder();
      const got: Chunk[] = [];
      for (let at = 0; at < sent.byteLength; at += step)
        got.push(...decoder.push(sent.subarray(at, at + step)));
      expectToContinue(got, whole);
    }
  });

  it('is refused where a length could not be true', () => {
    const sent = Buffer.alloc(44);
    sent.writeUInt32BE(1 << 30);
    expect(() => [...new ChunkDecoder().push(sent)]).toThrow(expect.objectContaining({ dependency: 'host' }));
  });
});

describe('the feed of a host', () => {
  let server: StreamServer;
  let link: HttpHostLink;
  let watcher: CommittedWatcher | undefined;
  let stops = 0;
  const log = { debug() {}, info() {}, warn() {}, error() {} };

  beforeEach(async () => {
    stops = 0;
    watcher = undefined;
    const services = {
      watchCommitted: (id: string, given: CommittedWatcher) => {
        if (id !== ID) return undefined;
        watcher = given;
        return () => void (stops += 1);
      },
    } as unknown as HostServices;
    server = await StreamServer.listen({ address: '127.0.0.1', port: 0, adminSecret: SECRET, services, log });
    const hosts = { list: async () => [{ id: HOST, streamAddress: server.address }] } as unknown as HostStore;
    link = new HttpHostLink(hosts, SECRET, { passed: () => undefined }, log);
  });
  afterEach(async () => {
    link.close();
    await server.close();
  });

  /** Begins to read and returns once the host has somebody to tell. */
  async function watched(signal = new AbortController().signal) {
    const feed = link.committed(HOST, ID, signal)[Symbol.asyncIterator]();
    const first = feed.next();
    while (!watcher) await new Promise((resolve) => setImmediate(resolve));
    return { feed, first, watcher };
  }

  it('brings what is committed, and is over when the exec has ended', async () => {
    const { feed, first, watcher: host } = await watched();
    const whole = chunkOf([100, MEBIBYTE / 8, 5]);
    host.take(whole);
    const got = [(await first).value as Chunk];
    host.over();
    for (let next = await feed.next(); !next.done; next = await feed.next()) got.push(next.value);
    expectToContinue(got, whole);
    expect(stops).toBe(1);
  });

  it('is over at once for an exec that the host does not supervise', async () => {
    for await (const _ of link.committed(HOST, OTHER, new AbortController().signal))
      throw new Error('Unexpected.');
  });

  it('is closed at the host when the reader leaves', async () => {
    const leaving = new AbortController();
    const { first, watcher: host } = await watched(leaving.signal);
    host.take(chunkOf([1]));
    await first;
    leaving.abort();
    while (stops === 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it('breaks off where the receiver does not take what comes, so that the host keeps little for it', async () => {
    const { feed, first, watcher: host } = await watched();
    const chunk = chunkOf([MEBIBYTE / 8, MEBIBYTE / 8]);
    let told = 0;
    for (; stops === 0 && told < 1_000; told += 1) {
      host.take(chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(told).toBeLessThan(1_000);
    await first;
    await expect(
      (async () => {
        for (let next = await feed.next(); !next.done; next = await feed.next());
      })(),
    ).rejects.toThrow('aborted');
  });

  it('says which dependency is away', async () => {
    await server.close();
    const feed = link.committed(HOST, ID, new AbortController().signal)[Symbol.asyncIterator]();
    await expect(feed.next()).rejects.toMatchObject({ code: 'dependency_unavailable', dependency: 'host' });
  });
});
