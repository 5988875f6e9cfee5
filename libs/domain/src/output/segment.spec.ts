import { createHash } from 'node:crypto';
import { encodeFrame, type Frame } from '../frames/index.js';
import { execId } from '../ids.js';
import type { StoredObject } from '../ports/object-store.port.js';
import type { Chunk } from '../ports/stores.port.js';
import { FrameWalk, type Digest } from './frame-walk.js';
import { blocksOf, SegmentShape, type OutputSegment } from './segment.js';
import { StoredOutput } from './stored-output.js';

const ID = execId('0190b0a0-0000-7000-8000-000000000001');

const newDigest = (): Digest => {
  const hash = createHash('sha256');
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest('hex') };
};

/** Chunks of one frame each, alternating between the streams. */
function chunksOf(sizes: readonly number[]): Chunk[] {
  const bytes = { stdout: 0, stderr: 0 };
  let position = 0;
  return sizes.map((size, index) => {
    const stream = index % 2 === 0 ? 'stdout' : 'stderr';
    const before = { ...bytes };
    const payload = new Uint8Array(size).fill(index);
    const frames = encodeFrame({ stream, flags: 0, offset: bytes[stream], timeMicros: 1, payload });
    bytes[stream] += size;
    const chunk = {
      position,
      endPosition: position + frames.byteLength,
      stdoutFrom: before.stdout,
      stdoutTo: bytes.stdout,
      stderrFrom: before.stderr,
      stderrTo: bytes.stderr,
      frames,
    };
    position = chunk.endPosition;
    return chunk;
  });
}

function shapeOf(chunks: readonly Chunk[]): SegmentShape {
  const shape = new SegmentShape(chunks[0] as Chunk);
  for (const chunk of chunks) shape.add(chunk);
  return shape;
}

const SIZES = Array.from({ length: 60 }, (_, index) => 1 + ((index * 7_919) % 20_000));

describe('the shape of a segment', () => {
  const chunks = chunksOf(SIZES);
  const { span, blocks } = shapeOf(chunks);

  it('covers its chunks, and its blocks cover it', () => {
    const last = chunks.at(-1);
    expect(span).toMatchObject({ position: 0, endPosition: last?.endPosition, stdoutTo: last?.stdoutTo });
    const parts = blocksOf({ ...span, blocks });
    expect(parts.length).toBeGreaterThan(5);
    parts.forEach((part, index) => {
      const before = parts[index - 1];
      expect(part.position).toBe(before?.endPosition ?? 0);
      expect(part.stdoutFrom).toBe(before?.stdoutTo ?? 0);
      expect(part.stderrFrom).toBe(before?.stderrTo ?? 0);
      if (before) expect(before.endPosition - before.position).toBeGreaterThanOrEqual(65_536);
    });
    expect(parts.at(-1)).toMatchObject({ endPosition: span.endPosition, stderrTo: span.stderrTo });
  });

  it('refuses what does not continue it, and what is no frame', () => {
    const [first, second, third] = chunks as [Chunk, Chunk, Chunk];
    const shape = new SegmentShape(first);
    shape.add(first);
    expect(() => shape.add(third)).toThrow(expect.objectContaining({ code: 'spool_corrupt' }));
    const cut = { ...second, frames: second.frames.subarray(0, -1) };
    expect(() => shape.add(cut)).toThrow(expect.objectContaining({ code: 'spool_corrupt' }));
    const other = new SegmentShape(first);
    expect(() => other.add({ ...first, stdoutTo: 9 })).toThrow(
      expect.objectContaining({ code: 'spool_corrupt' }),
    );
  });

  it('is read from any place like the chunks that it was made of', async () => {
    const bytes = Buffer.concat(chunks.map((chunk) => chunk.frames));
    const segment: OutputSegment = { ...span, blocks, objectKey: 'k', objectOffset: 10, sha256: '' };
    const object = Buffer.concat([Buffer.alloc(10), bytes, Buffer.alloc(5)]);
    const output = new StoredOutput(
      { readChunks: async () => [], readStreamChunks: async () => [] },
      { find: async () => await Promise.resolve({ outputState: 'sealed', segment }) },
      {
        get: async (_key, { from = 0, to } = {}) =>
          await Promise.resolve(storedOf(object.subarray(from, to))),
      },
    );
    for (let from = 0; from < bytes.length; from += 9_973) {
      const [first, ...rest] = await output.readChunks(ID, from, 150_000);
      expect(first?.position).toBeLessThanOrEqual(from);
      expect(first?.endPosition).toBeGreaterThan(from);
      for (const chunk of [first as Chunk, ...rest]) {
        expect(bytes.subarray(chunk.position, chunk.endPosition).equals(chunk.frames)).toBe(true);
      }
    }
    for (let from = 0; from < span.stderrTo; from += 9_973) {
      const [first] = await output.readStreamChunks(ID, 'stderr', from, 1);
      expect(first?.stderrFrom).toBeLessThanOrEqual(from);
      expect(first?.stderrTo).toBeGreaterThan(from);
    }
  });
});

describe('the walk through frames', () => {
  it('comes to the same end and the same hashes in pieces of any size', () => {
    const chunks = chunksOf(SIZES);
    const { span } = shapeOf(chunks);
    const bytes = Buffer.concat(chunks.map((chunk) => chunk.frames));
    const hashes = [1, 7, 65_536, 1_000_000].map((size) => {
      const walk = new FrameWalk(newDigest);
      for (let at = 0; at < bytes.length; at += size) walk.push(bytes.subarray(at, at + size));
      expect(walk.isAt(span)).toBe(true);
      return walk.streamOf('stdout', null).sha256;
    });
    expect(new Set(hashes).size).toBe(1);
  });

  it('refuses a frame that repeats its stream', () => {
    const frame: Frame = {
      stream: 'stdout',
      flags: 0,
      offset: 0,
      timeMicros: 1,
      payload: new Uint8Array([1]),
    };
    const walk = new FrameWalk(newDigest);
    walk.push(encodeFrame(frame));
    expect(() => walk.push(encodeFrame(frame))).toThrow(expect.objectContaining({ code: 'spool_corrupt' }));
  });
});

function storedOf(bytes: Uint8Array): StoredObject {
  return {
    sizeBytes: bytes.byteLength,
    contentLength: bytes.byteLength,
    bytes: (async function* () {
      for (let at = 0; at < bytes.byteLength; at += 10_000) {
        await Promise.resolve();
        yield bytes.subarray(at, at + 10_000);
      }
    })(),
  };
}
