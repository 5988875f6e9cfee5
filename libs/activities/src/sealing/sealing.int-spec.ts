import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { DomainError, limits, type ExecId } from '#domain';
import { faultyPorts } from '../../../../test/stack/faulty-ports.js';
import { readFrames, SealingWorld, sha256, type Piece } from '../../../../test/stack/sealing-world.js';
import { SealPass, type SealPorts } from './seal-pass.js';

const KIB = 1_024;
const MIB = 1_024 * KIB;
const NOT_ABORTED = new AbortController().signal;
const STEPS_MAX = 120;

jest.setTimeout(300_000);

let world: SealingWorld;
beforeAll(async () => {
  world = await SealingWorld.open();
});
afterAll(async () => world.close());

async function seal(ports: Partial<SealPorts> = {}) {
  return await new SealPass({ ...world.ports, ...ports }, NOT_ABORTED).run();
}

/** Random bytes in pieces on both streams. */
function pieces(bytes: number, pieceBytes: number): Piece[] {
  return Array.from({ length: Math.ceil(bytes / pieceBytes) }, (_, index) => ({
    stream: index % 3 === 2 ? 'stderr' : 'stdout',
    bytes: randomBytes(Math.min(pieceBytes, bytes - index * pieceBytes)),
  }));
}

async function expectSameBytes(id: ExecId): Promise<void> {
  const frames = world.framesOf(id);
  const read = await readFrames(world.output, id, 0, frames.byteLength);
  expect(sha256(read)).toBe(sha256(frames));
}

describe('sealing a large output', () => {
  it('moves full segments while the exec runs and keeps its end in the database', async () => {
    const id = await world.runningExec();
    await world.write(id, ...pieces(20 * MIB, 256 * KIB));
    expect(await seal()).toMatchObject({ segments: 2, execs: 0, stoppedBy: null });
    const segments = await world.segments.list(id);
    expect(segments.map((one) => one.position)).toEqual([0, segments[0]?.endPosition]);
    for (const one of segments) expect(one.endPosition - one.position).toBeLessThanOrEqual(8 * MIB);
    expect((await world.execs.get(id)).outputState).toBe('hot');
    await expectSameBytes(id);
    await world.write(id, ...pieces(1 * MIB, 200 * KIB));
    expect(await seal()).toMatchObject({ segments: 0 });
    await world.end(id);
    expect(await seal()).toMatchObject({ indexed: 1, segments: 1, execs: 1 });
    expect((await world.execs.get(id)).outputState).toBe('sealed');
    expect(await world.count('exec_chunks', id)).toBe(0);
    await expectSameBytes(id);
  });

  it('changes nothing when it is done again', async () => {
    const id = await world.endedExec('u1', ...pieces(9 * MIB, 250_000));
    await seal();
    const before = await world.keys();
    expect(await seal()).toEqual({
      indexed: 0,
      segments: 0,
      execs: 0,
      packs: 0,
      postponed: 0,
      stoppedBy: null,
    });
    expect(await world.keys()).toEqual(before);
    await expectSameBytes(id);
  });

  it('writes a manifest that names every segment with its hash', async () => {
    const id = await world.endedExec('u1', ...pieces(10 * MIB, 250_000));
    await seal();
    const place = await world.segments.manifest(id);
    const object = await world.objects.get(place?.key ?? '');
    const parts: Uint8Array[] = [];
    for await (const part of object.bytes) parts.push(part);
    const manifest = JSON.parse(Buffer.concat(parts).toString()) as {
      exitRecord: { stdoutSha256: string };
      segments: { objectKey: string; sha256: string; position: number; endPosition: number }[];
    };
    expect(sha256(Buffer.concat(parts))).toBe(place?.sha256);
    const { exitRecord } = await world.execs.get(id);
    expect(manifest.exitRecord.stdoutSha256).toBe(exitRecord?.stdoutSha256);
    const frames = world.framesOf(id);
    expect(manifest.segments).toHaveLength(2);
    for (const { sha256: hash, position, endPosition } of manifest.segments) {
      expect(hash).toBe(sha256(frames.subarray(position, endPosition)));
    }
  });
});

describe('reading across the border of sealed and hot output', () => {
  it('gives the same bytes from any position and any byte of a stream', async () => {
    const id = await world.runningExec();
    await world.write(id, ...pieces(9 * MIB, 100_000));
    await world.write(id, ...pieces(50_000, 1_000));
    expect(await seal()).toMatchObject({ segments: 1 });
    const frames = world.framesOf(id);
    const border = (await world.segments.list(id))[0]?.endPosition ?? 0;
    const places = [0, 1, 100_023, border - 1, border, border + 1, frames.byteLength - 1];
    for (let n = 0; n < 40; n++) places.push(Math.floor(Math.random() * frames.byteLength));
    for (const from of places) {
      const to = Math.min(frames.byteLength, from + 700_000);
      const read = await readFrames(world.output, id, from, to, 300_000);
      expect(read.subarray(0, to - from).equals(frames.subarray(from, to))).toBe(true);
    }
    for (const stream of ['stdout', 'stderr'] as const) {
      const { stdoutBytes, stderrBytes } = await world.execs.get(id);
      const total = stream === 'stdout' ? stdoutBytes : stderrBytes;
      let at = 0;
      while (at < total) {
        const chunks = await world.output.readStreamChunks(id, stream, at, 200_000);
        const [first] = chunks;
        const from = stream === 'stdout' ? first?.stdoutFrom : first?.stderrFrom;
        expect(from).toBeLessThanOrEqual(at);
        const last = chunks.at(-1);
        at = (stream === 'stdout' ? last?.stdoutTo : last?.stderrTo) ?? Number.NaN;
      }
      expect(at).toBe(total);
    }
  });

  it('skips what holds nothing of the stream', async () => {
    const id = await world.endedExec(
      'u1',
      { bytes: Buffer.from('first') },
      ...pieces(9 * MIB, 250_000).map(({ bytes }) => ({ stream: 'stderr' as const, bytes })),
      { bytes: Buffer.from('last') },
    );
    await seal();
    const first = await world.output.readStreamChunks(id, 'stdout', 0, 100_000);
    expect(first).toHaveLength(1);
    const last = await world.output.readStreamChunks(id, 'stdout', 5, 100_000);
    expect(last[0]).toMatchObject({ stdoutFrom: 5, stdoutTo: 9 });
  });
});

describe('small outputs', () => {
  it('wait for each other and then share an object', async () => {
    const ids = [];
    for (let n = 0; n < 20; n++) ids.push(await world.endedExec('u2', ...pieces(n * 300, 1_000)));
    expect(await seal()).toMatchObject({ indexed: 20, packs: 0 });
    await world.letPass(limits.PACK_WAIT_MS / 1_000);
    expect(await seal()).toMatchObject({ packs: 1, execs: 20 });
    const keys = new Set<string>();
    for (const id of ids) {
      expect((await world.execs.get(id)).outputState).toBe('sealed');
      const { key, offset, bytes, sha256: hash } = (await world.segments.manifest(id))!;
      const object = await world.objects.get(key, { from: offset, to: offset + bytes });
      const parts: Uint8Array[] = [];
      for await (const part of object.bytes) parts.push(part);
      expect(sha256(Buffer.concat(parts))).toBe(hash);
      expect(JSON.parse(Buffer.concat(parts).toString())).toMatchObject({ execId: id });
      keys.add(key);
      await expectSameBytes(id);
    }
    expect(keys.size).toBe(1);
    expect(await world.count('pending_objects')).toBe(0);
  });

  it('can be found in a pack without the database', async () => {
    const id = await world.endedExec('u2', { bytes: Buffer.from('by itself') });
    await seal();
    await world.letPass(limits.PACK_WAIT_MS / 1_000);
    await seal();
    const { key } = (await world.segments.manifest(id))!;
    const object = await world.objects.get(key);
    const parts: Uint8Array[] = [];
    for await (const part of object.bytes) parts.push(part);
    const pack = Buffer.concat(parts);
    expect(pack.subarray(-16, -8).toString()).toBe('BERTHPK1');
    const indexBytes = Number(pack.readBigUInt64BE(pack.length - 8));
    const index = JSON.parse(pack.subarray(-16 - indexBytes, -16).toString()) as {
      execId: string;
      offset: number;
      bytes: number;
    }[];
    const entry = index.find((one) => one.execId === id)!;
    const manifest = JSON.parse(pack.subarray(entry.offset, entry.offset + entry.bytes).toString()) as {
      segments: { objectOffset: number; endPosition: number }[];
    };
    const [segment] = manifest.segments;
    const from = segment?.objectOffset ?? 0;
    expect(pack.subarray(from, from + (segment?.endPosition ?? 0)).equals(world.framesOf(id))).toBe(true);
  });
});

describe('what goes wrong', () => {
  it('leaves everything readable when any step fails, before or after its effect, and is made good by the next pass', async () => {
    let step = 0;
    let failed = true;
    for (; failed && step < STEPS_MAX; step++) {
      const large = await world.endedExec('u3', ...pieces(300 * KIB, 64 * KIB));
      const small = await world.endedExec('u3', ...pieces(900, 100));
      await world.letPass(limits.PACK_WAIT_MS / 1_000);
      const faulty = faultyPorts(world.ports, Math.floor(step / 2), step % 2 === 0 ? 'before' : 'after');
      await seal(faulty.ports).catch((error: unknown) => expect(error).toBeInstanceOf(DomainError));
      failed = faulty.failed();
      await expectSameBytes(large);
      await expectSameBytes(small);
      await seal();
      for (const id of [large, small]) {
        expect((await world.execs.get(id)).outputState).toBe('sealed');
        expect(await world.count('exec_chunks', id)).toBe(0);
        await expectSameBytes(id);
      }
    }
    expect(step).toBeGreaterThan(30);
    expect(failed).toBe(false);
  });

  it('is done once by two who do it at the same time', async () => {
    const ids = [await world.endedExec('u4', ...pieces(25 * MIB, 256 * KIB))];
    for (let n = 0; n < 5; n++) ids.push(await world.endedExec('u4', ...pieces(5_000, 1_000)));
    await world.letPass(limits.PACK_WAIT_MS / 1_000);
    const results = await Promise.all([seal(), seal(), seal()]);
    const sum = (name: 'segments' | 'execs'): number =>
      results.reduce((total, result) => total + result[name], 0);
    await seal();
    for (const id of ids) {
      expect((await world.execs.get(id)).outputState).toBe('sealed');
      await expectSameBytes(id);
    }
    expect(sum('segments')).toBeLessThanOrEqual(4);
    expect(sum('execs')).toBeLessThanOrEqual(6);
  });

  it('stays in the database while object storage is away, is found by its words, and catches up by itself', async () => {
    const id = await world.endedExec('u5', ...pieces(1 * MIB, 256 * KIB));
    const away = async (): Promise<never> =>
      await Promise.reject(
        new DomainError('dependency_unavailable', 'The object storage does not answer.', {
          dependency: 's3',
        }),
      );
    const objects = Object.assign(Object.create(world.objects) as typeof world.objects, {
      ensureBucket: away,
      put: away,
      get: away,
    });
    expect(await seal({ objects })).toMatchObject({ indexed: 1, stoppedBy: 'dependency_unavailable' });
    expect(await world.segments.lag()).toMatchObject({ waiting: 1 });
    await expectSameBytes(id);
    expect(await seal()).toMatchObject({ execs: 1, stoppedBy: null });
    expect(await world.segments.lag()).toMatchObject({ waiting: 0, oldestMs: 0 });
  });

  it('puts an exec off whose chunks are damaged, and seals the others', async () => {
    const damaged = await world.endedExec('u6', ...pieces(1 * MIB, 256 * KIB));
    await world.test.database.query(
      `UPDATE exec_chunks SET frames = set_byte(frames, 0, 7) WHERE exec_id = $1 AND position = 0`,
      [damaged],
    );
    const whole = await world.endedExec('u6', ...pieces(1 * MIB, 256 * KIB));
    expect(await seal()).toMatchObject({ postponed: 1, execs: 1 });
    expect((await world.execs.get(whole)).outputState).toBe('sealed');
    expect((await world.execs.get(damaged)).outputState).toBe('hot');
    expect(await seal()).toMatchObject({ postponed: 0, execs: 0 });
  });

  it('keeps what object storage gives back with other bytes', async () => {
    const id = await world.endedExec('u7', ...pieces(1 * MIB, 256 * KIB));
    const lying = Object.create(world.objects) as typeof world.objects;
    lying.put = async (key, body) => {
      const bytes = Buffer.from(body.bytes as Uint8Array);
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      await world.objects.put(key, { ...body, bytes, sha256: sha256(bytes) });
    };
    expect(await seal({ objects: lying })).toMatchObject({ segments: 0, postponed: 1 });
    expect((await world.execs.get(id)).outputState).toBe('hot');
    await expectSameBytes(id);
  });
});
