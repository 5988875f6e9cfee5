import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  DomainError,
  limits,
  ownerId,
  searchWordsOf,
  tenantId,
  type ExecId,
  type OwnerOfOutput,
  type RetentionPolicy,
} from '#domain';
import { faultyPorts } from '../../../../test/stack/faulty-ports.js';
import { readFrames, SealingWorld, sha256, type Piece } from '../../../../test/stack/sealing-world.js';
import { SealPass } from '../sealing/seal-pass.js';
import { retentionPass, type RetentionPorts } from './retention-pass.js';

const KIB = 1_024;
const HOUR_SECONDS = 3_600;
const STEPS_MAX = 200;
const NOT_ABORTED = new AbortController().signal;
/** Keeps everything; a test narrows what it is about. */
const GENEROUS: RetentionPolicy = {
  outputsMax: 1_000_000,
  bytesMax: Number.MAX_SAFE_INTEGER,
  ageMsMax: 10 ** 12,
  ageMsMin: 0,
};

jest.setTimeout(300_000);

let world: SealingWorld;
beforeAll(async () => {
  world = await SealingWorld.open();
});
afterAll(async () => world.close());

const output = (bytes: number): Piece => ({ bytes: randomBytes(bytes) });
/** Too large for a pack. */
const large = (): Piece[] => [output(150 * KIB), output(150 * KIB)];

function portsWith(policy: Partial<RetentionPolicy>): RetentionPorts {
  const { retention, objects } = world;
  const wake = { wake: (): void => undefined };
  const snapshots = { expire: async () => await Promise.resolve(0) };
  const snapshotPolicy = { keptPerSandbox: 1, deletedAgeMsMax: 0 };
  return {
    retention,
    objects,
    policy: { ...GENEROUS, ...policy },
    snapshots,
    snapshotPolicy,
    wake,
    log: world.ports.log,
  };
}

const retain = async (policy: Partial<RetentionPolicy>, ports: Partial<RetentionPorts> = {}) =>
  await retentionPass({ ...portsWith(policy), ...ports }, null, NOT_ABORTED);

/** Everything that has ended is in object storage afterwards, small outputs in a pack of their own. */
async function sealAll(): Promise<void> {
  await world.letPass(limits.PACK_WAIT_MS / 1_000);
  await new SealPass(world.ports, NOT_ABORTED).run();
}

async function statesOf(ids: readonly ExecId[]): Promise<string[]> {
  return await Promise.all(ids.map(async (id) => (await world.execs.get(id)).outputState));
}

async function expectSameBytes(id: ExecId): Promise<void> {
  const frames = world.framesOf(id);
  expect(sha256(await readFrames(world.output, id, 0, frames.byteLength))).toBe(sha256(frames));
}

async function expectExpired(id: ExecId): Promise<void> {
  expect((await world.execs.get(id)).outputState).toBe('expired');
  expect(await world.count('exec_chunks', id)).toBe(0);
  expect(await world.count('exec_segments', id)).toBe(0);
  await expect(world.output.readChunks(id, 0, KIB)).rejects.toMatchObject({ code: 'output_expired' });
}

describe('what is kept', () => {
  it('is the newest of each owner by number; a live one is neither counted nor touched', async () => {
    const live = await world.runningExec('n1');
    await world.write(live, output(KIB));
    const ids = [];
    for (let n = 0; n < 5; n++) ids.push(await world.endedExec('n1', output(KIB)));
    const other = await world.endedExec('n2', output(KIB));
    expect(await retain({ outputsMax: 3 })).toMatchObject({
      expired: 2,
      erased: 2,
      next: null,
    });
    expect(await statesOf(ids)).toEqual(['expired', 'expired', 'hot', 'hot', 'hot']);
    expect(await statesOf([live, other])).toEqual(['hot', 'hot']);
    for (const id of ids.slice(0, 2)) await expectExpired(id);
    for (const id of [...ids.slice(2), live, other]) await expectSameBytes(id);
    expect(await retain({ outputsMax: 3 })).toMatchObject({ expired: 0, erased: 0, removed: 0 });
  });

  it('is what the newer ones leave room for; the newest always, whatever its size', async () => {
    const ids = [];
    for (let n = 0; n < 4; n++) ids.push(await world.endedExec('b1', output(100 * KIB)));
    await retain({ bytesMax: 150 * KIB });
    expect(await statesOf(ids)).toEqual(['expired', 'expired', 'hot', 'hot']);
    await retain({ bytesMax: 1 });
    expect(await statesOf(ids)).toEqual(['expired', 'expired', 'expired', 'hot']);
  });

  it('is nothing that ended too long ago, and never what runs, however long', async () => {
    const live = await world.runningExec('a1');
    await world.write(live, output(KIB));
    const old = await world.endedExec('a1', output(KIB));
    await world.letPass(2 * HOUR_SECONDS);
    const young = await world.endedExec('a1', output(KIB));
    await retain({ ageMsMax: HOUR_SECONDS * 1_000 });
    expect(await statesOf([live, old, young])).toEqual(['hot', 'expired', 'hot']);
    expect(await world.retention.expire(live)).toBe(false);
    await expectSameBytes(live);
  });

  it('is what has just ended, so that whoever waits for it can read it', async () => {
    const ids = [await world.endedExec('j1', output(KIB)), await world.endedExec('j1', output(KIB))];
    const policy = { outputsMax: 1, ageMsMin: 60_000 };
    await retain(policy);
    expect(await statesOf(ids)).toEqual(['hot', 'hot']);
    await world.letPass(61);
    await retain(policy);
    expect(await statesOf(ids)).toEqual(['expired', 'hot']);
  });

  it('is counted for each tenant by itself', async () => {
    const ids = [await world.endedExec('t1', output(KIB)), await world.endedExec('t1', output(KIB))];
    await world.test.database.query(`UPDATE execs SET tenant_id = 'other' WHERE id = $1`, [ids[0]]);
    await retain({ outputsMax: 1 });
    expect(await statesOf(ids)).toEqual(['hot', 'hot']);
  });

  it('goes from owner to owner, a number at a time', async () => {
    const seen: OwnerOfOutput[] = [];
    for (;;) {
      const page = await world.retention.listOwners(seen.at(-1), 2);
      seen.push(...page);
      if (page.length < 2) break;
    }
    const names = seen.map((one) => `${one.tenantId}/${one.ownerId}`);
    expect(names).toEqual([...new Set(names)].toSorted());
    expect(names).toEqual(expect.arrayContaining(['default/a1', 'default/j1', 'other/t1']));
    const last = { tenantId: tenantId('zz'), ownerId: ownerId('zz') };
    expect(await world.retention.listOwners(last, 2)).toEqual([]);
  });
});

describe('output that has expired', () => {
  it('leaves its row, which is still found by its command and no more by its output', async () => {
    const id = await world.runningExec('w1', ['make', 'harbour']);
    await world.write(id, { bytes: Buffer.from('the lighthouse is lit') });
    await world.end(id);
    await sealAll();
    const found = async (text: string): Promise<ExecId[]> => {
      const query = { words: searchWordsOf(text), limit: 10 };
      return (await world.execs.list(tenantId('default'), query)).items.map((one) => one.id);
    };
    expect(await found('harbour lighthouse')).toEqual([id]);
    const before = await world.execs.get(id);
    await world.retention.expire(id);
    expect(await found('lighthouse')).toEqual([]);
    expect(await found('harbour')).toEqual([id]);
    expect(await world.execs.get(id)).toEqual({ ...before, outputState: 'expired' });
  });

  it('is removed from object storage with its manifest', async () => {
    const keys = new Set(await world.keys());
    const id = await world.endedExec('o1', ...large());
    const kept = await world.endedExec('o2', ...large());
    await sealAll();
    await retain({});
    const added = (await world.keys()).filter((key) => !keys.has(key));
    expect(added.filter((key) => key.includes(id))).toHaveLength(2);
    await world.retention.expire(id);
    expect(await retain({})).toMatchObject({ removed: 2, stoppedBy: null });
    expect((await world.keys()).filter((key) => key.includes(id))).toEqual([]);
    await expectExpired(id);
    await expectSameBytes(kept);
  });

  it('leaves a pack to the others in it until the last one has expired', async () => {
    const ids = [];
    for (let n = 0; n < 3; n++) ids.push(await world.endedExec('p1', output(KIB)));
    await sealAll();
    const key = (await world.segments.manifest(ids[0] as ExecId))?.key ?? '';
    for (const id of ids) expect((await world.segments.manifest(id))?.key).toBe(key);
    for (const [index, id] of ids.entries()) {
      for (const one of ids.slice(index)) await expectSameBytes(one);
      await world.retention.expire(id);
      await retain({});
      await expectExpired(id);
      expect((await world.keys()).includes(key)).toBe(index < ids.length - 1);
      expect(await world.count('pending_objects')).toBe(0);
    }
  });
});

describe('what goes wrong', () => {
  /** So that a pass has few steps. */
  beforeAll(async () => void (await retain({ ageMsMax: 1 })));

  it('is made good by the next pass, wherever it stopped, and never costs what is kept', async () => {
    const kept = [await world.endedExec('f1', output(KIB)), await world.endedExec('f1', ...large())];
    let step = 0;
    let failed = true;
    for (; failed && step < STEPS_MAX; step++) {
      const gone = [await world.endedExec('f1', ...large()), await world.endedExec('f1', output(KIB))];
      kept.push(await world.endedExec('f1', output(KIB)));
      await sealAll();
      gone.push(await world.endedExec('f1', output(KIB)));
      const { retention, objects } = world;
      // Before a step is the same as after the one before it.
      const faulty = faultyPorts({ retention, objects }, step, 'after');
      const expire = async (): Promise<void> => {
        for (const id of gone) await faulty.ports.retention.expire(id);
        await retain({}, faulty.ports);
      };
      await expire().catch((error: unknown) => expect(error).toBeInstanceOf(DomainError));
      failed = faulty.failed();
      for (const id of kept.slice(-3)) await expectSameBytes(id);
      for (const id of gone) await world.retention.expire(id);
      await retain({});
      for (const id of gone) await expectExpired(id);
      for (const id of kept.slice(-3)) await expectSameBytes(id);
      expect(await world.count('pending_objects')).toBe(0);
      expect((await world.keys()).filter((key) => gone.some((id) => key.includes(id)))).toEqual([]);
    }
    expect(step).toBeGreaterThan(12);
    expect(failed).toBe(false);
    for (const id of kept) await expectSameBytes(id);
  });

  it('is done once by two at the same time', async () => {
    const ids = [];
    for (let n = 0; n < 6; n++) ids.push(await world.endedExec('d1', output(KIB)));
    await sealAll();
    const results = await Promise.all([1, 2, 3].map(async () => await retain({ outputsMax: 2 })));
    expect((await statesOf(ids)).filter((state) => state === 'expired')).toHaveLength(4);
    expect(results.every((one) => one.stoppedBy === null)).toBe(true);
    for (const id of ids.slice(4)) await expectSameBytes(id);
  });

  it('expires rows while object storage is away, and removes the objects when it is back', async () => {
    const id = await world.endedExec('s1', ...large());
    await sealAll();
    await world.retention.expire(id);
    const away = new DomainError('dependency_unavailable', 'Away.', { dependency: 's3' });
    const objects = Object.assign(Object.create(world.objects) as typeof world.objects, {
      delete: async () => await Promise.reject(away),
    });
    expect(await retain({}, { objects })).toMatchObject({ removed: 0, stoppedBy: 'dependency_unavailable' });
    await expectExpired(id);
    expect(await retain({})).toMatchObject({ removed: 2, stoppedBy: null });
    expect((await world.keys()).filter((key) => key.includes(id))).toEqual([]);
  });

  it('removes what a crash has left behind after a while, and a writer that comes later than that changes nothing', async () => {
    const id = await world.endedExec('c1', ...large());
    let release = (): void => undefined;
    let arrived = (): void => undefined;
    const hanging = new Promise<void>((resolve) => (arrived = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    const objects = Object.create(world.objects) as typeof world.objects;
    objects.put = async (key, body) => {
      await world.objects.put(key, body);
      arrived();
      await released;
    };
    const late = new SealPass({ ...world.ports, objects }, NOT_ABORTED).run();
    await hanging;
    expect(await retain({})).toMatchObject({ removed: 0 });
    expect((await world.keys()).filter((key) => key.includes(id))).toHaveLength(1);
    await world.test.database.query(`UPDATE pending_objects SET since = since - make_interval(secs => $1)`, [
      limits.PENDING_OBJECT_STALE_MS / 1_000 + 1,
    ]);
    expect(await retain({})).toMatchObject({ removed: 1 });
    release();
    expect(await late).toMatchObject({ postponed: 1 });
    await world.sealing.postpone(id, 0);
    await sealAll();
    expect((await world.execs.get(id)).outputState).toBe('sealed');
    await expectSameBytes(id);
  });
});
