import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { limits, verifyOutput, type Digest, type Exec, type ExecId, type OutputVerification } from '#domain';
import { SealPass } from '../../../../libs/activities/src/sealing/seal-pass.js';
import { SealingWorld, sha256, type Piece } from '../../../../test/stack/sealing-world.js';

const KIB = 1_024;
const MIB = 1_024 * KIB;
const NOT_ABORTED = new AbortController().signal;

jest.setTimeout(120_000);

let world: SealingWorld;
beforeAll(async () => {
  world = await SealingWorld.open();
});
afterAll(async () => world.close());

const pieces = (bytes: number): Piece[] =>
  Array.from({ length: Math.ceil(bytes / (200 * KIB)) }, (_, n) => ({
    stream: n % 3 === 2 ? 'stderr' : 'stdout',
    bytes: randomBytes(200 * KIB),
  }));

async function seal(): Promise<void> {
  await world.letPass(limits.PACK_WAIT_MS / 1_000);
  await new SealPass(world.ports, NOT_ABORTED).run();
}

async function verify(id: ExecId, exec?: Exec): Promise<OutputVerification> {
  const { execs: hot, segments, objects } = world;
  const row = exec ?? (await world.execs.get(id));
  return await verifyOutput({ hot, segments, objects, newDigest }, row, NOT_ABORTED);
}

function newDigest(): Digest {
  const hash = createHash('sha256');
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest('hex') };
}

async function objectAt(key: string): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of (await world.objects.get(key)).bytes) parts.push(part);
  return Buffer.concat(parts);
}

async function putBack(key: string, bytes: Buffer): Promise<void> {
  await world.objects.put(key, { bytes, contentLength: bytes.byteLength, sha256: sha256(bytes) });
}

describe('a verification', () => {
  it('goes through what is sealed and what is not, while the command runs and after it', async () => {
    const id = await world.runningExec();
    await world.write(id, ...pieces(9 * MIB));
    await seal();
    const live = await verify(id);
    expect(live).toMatchObject({ ok: true, proven: false, segments: 1, problems: [] });
    expect(live.hotBytes).toBeGreaterThan(0);
    expect(live.sealedBytes + live.hotBytes).toBe(world.framesOf(id).byteLength);
    await world.end(id);
    expect(await verify(id)).toMatchObject({ ok: true, proven: true });
    await seal();
    const { exitRecord } = await world.execs.get(id);
    expect(await verify(id)).toMatchObject({
      ok: true,
      proven: true,
      segments: 2,
      hotBytes: 0,
      stdout: { sha256: exitRecord?.stdoutSha256, recordedSha256: exitRecord?.stdoutSha256 },
      stderr: { sha256: exitRecord?.stderrSha256, recordedSha256: exitRecord?.stderrSha256 },
    });
  });

  it('finds nothing wrong with a command that has written more, and was sealed, since its row was read', async () => {
    const id = await world.runningExec();
    await world.write(id, ...pieces(MIB));
    const before = await world.execs.get(id);
    await world.write(id, ...pieces(9 * MIB));
    const written = await verify(id, before);
    expect(written).toMatchObject({ ok: true, verifiedPosition: before.committedPosition, problems: [] });
    await seal();
    const sealed = await verify(id, before);
    expect(sealed).toMatchObject({ ok: true, problems: [] });
    expect(sealed.verifiedPosition).toBeGreaterThan(before.committedPosition);
    await world.end(id);
  });

  it('finds one changed bit, wherever it is, and an object that is missing', async () => {
    const id = await world.endedExec('v1', ...pieces(9 * MIB));
    await seal();
    const keys = (await world.segments.list(id)).map((one) => one.objectKey);
    keys.push((await world.segments.manifest(id))?.key ?? '');
    expect(new Set(keys).size).toBe(3);
    for (const key of keys) {
      const bytes = await objectAt(key);
      for (const at of [0, 5, Math.floor(bytes.byteLength / 2), bytes.byteLength - 1]) {
        const damaged = Buffer.from(bytes);
        damaged[at] = (damaged[at] ?? 0) ^ 1;
        await putBack(key, damaged);
        expect((await verify(id)).ok).toBe(false);
      }
      await putBack(key, bytes.subarray(0, -1));
      expect((await verify(id)).ok).toBe(false);
      await world.objects.delete(key);
      expect((await verify(id)).ok).toBe(false);
      await putBack(key, bytes);
      expect(await verify(id)).toMatchObject({ ok: true, proven: true });
    }
  });

  it('finds a pack, a chunk and a record that do not fit', async () => {
    const id = await world.endedExec('v2', { bytes: Buffer.from('small') });
    await world.test.database.query(
      `UPDATE exec_chunks SET frames = set_byte(frames, length(frames) - 1, 7) WHERE exec_id = $1`,
      [id],
    );
    expect(await verify(id)).toMatchObject({ ok: false, proven: true });
    const other = await world.endedExec('v2', { bytes: Buffer.from('small, too') });
    await seal();
    expect(await verify(other)).toMatchObject({ ok: true, proven: true, segments: 1 });
    await world.test.database.query(`DELETE FROM exec_segments WHERE exec_id = $1`, [other]);
    expect(await verify(other)).toMatchObject({
      ok: false,
      problems: [{ position: 0, message: 'Nothing is stored here.' }],
    });
  });
});
