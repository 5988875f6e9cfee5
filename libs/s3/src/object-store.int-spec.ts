import { createHash, randomBytes } from 'node:crypto';
import { DeleteBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { runningStack, stackSecrets } from '../../../test/stack/running-stack.js';
import type { ObjectBody, StoredObject } from '#domain';
import { S3ObjectStore } from './object-store.js';

const MEBIBYTE = 1_024 ** 2;
const NOT_ANSWERING = 'http://127.0.0.1:1';

describe('the object storage', () => {
  const { s3AccessKey: accessKey, s3SecretKey: secretKey } = stackSecrets();
  const config = {
    endpoint: runningStack().s3Endpoint,
    region: 'us-east-1',
    bucket: `berth-test-${randomBytes(6).toString('hex')}`,
    accessKey,
    secretKey,
  };
  const store = new S3ObjectStore(config);

  beforeAll(() => store.ensureBucket());
  afterAll(async () => {
    const { objects } = await store.list('');
    for (const { key } of objects) await store.delete(key);
    store.close();
    await removeBuckets(config.bucket, `${config.bucket}-beside`);
  });

  it('has its bucket however often and by however many it is asked for', async () => {
    await Promise.all([store.ensureBucket(), store.ensureBucket(), store.ensureBucket()]);
    const fresh = new S3ObjectStore({ ...config, bucket: `${config.bucket}-beside` });
    await Promise.all([fresh.ensureBucket(), fresh.ensureBucket()]);
    fresh.close();
  });

  it('proves itself by a write, a read and a delete, and leaves nothing', async () => {
    await store.probe();
    expect(await store.list('probe/')).toEqual({ objects: [], next: undefined });
  });

  it('gives back the bytes of a buffer and of a stream, whole and in ranges', async () => {
    const bytes = randomBytes(3 * MEBIBYTE + 17);
    await store.put('a/buffer', bodyOf(bytes));
    await store.put('a/stream', { ...bodyOf(bytes), bytes: pieces(bytes) });
    for (const key of ['a/buffer', 'a/stream']) {
      const whole = await store.get(key);
      expect(whole.sizeBytes).toBe(bytes.length);
      expect((await read(whole)).equals(bytes)).toBe(true);
      const part = await store.get(key, { from: 100, to: 2_100_000 });
      expect(part).toMatchObject({ sizeBytes: bytes.length, contentLength: 2_099_900 });
      expect((await read(part)).equals(bytes.subarray(100, 2_100_000))).toBe(true);
      const rest = await store.get(key, { from: bytes.length - 5 });
      expect((await read(rest)).equals(bytes.subarray(-5))).toBe(true);
    }
  });

  it('takes an object again, and an empty one', async () => {
    for (let time = 1; time <= 2; time++) await store.put('b/again', bodyOf(Buffer.from('same')));
    expect((await read(await store.get('b/again'))).toString()).toBe('same');
    await store.put('b/empty', bodyOf(Buffer.alloc(0)));
    expect(await read(await store.get('b/empty'))).toHaveLength(0);
  });

  it('refuses bytes that are not the announced ones, and keeps none of them', async () => {
    const body = { ...bodyOf(Buffer.from('these')), sha256: '0'.repeat(64) };
    await expect(store.put('c/wrong', body)).rejects.toMatchObject({ code: 'internal' });
    const streamed = { ...body, bytes: pieces(Buffer.from('these')) };
    await expect(store.put('c/wrong', streamed)).rejects.toMatchObject({ code: 'internal' });
    await expect(store.get('c/wrong')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('says what is not there and what lies beyond the end', async () => {
    await expect(store.get('d/nothing')).rejects.toMatchObject({ code: 'not_found' });
    await store.put('d/short', bodyOf(Buffer.from('12345')));
    await expect(store.get('d/short', { from: 5 })).rejects.toMatchObject({ code: 'range_not_satisfiable' });
    for (let time = 1; time <= 2; time++) await store.delete('d/short');
  });

  it('lists page by page in the order of keys', async () => {
    for (const name of ['3', '1', '2']) await store.put(`e/${name}`, bodyOf(Buffer.from(name)));
    const first = await store.list('e/', { limit: 2 });
    expect(first).toEqual({
      objects: [
        { key: 'e/1', sizeBytes: 1 },
        { key: 'e/2', sizeBytes: 1 },
      ],
      next: 'e/2',
    });
    expect(await store.list('e/', { limit: 2, after: 'e/2' })).toEqual({
      objects: [{ key: 'e/3', sizeBytes: 1 }],
      next: undefined,
    });
  });

  it('ends a read with the reason of its signal, and lets a reader leave early', async () => {
    await store.put('f/big', bodyOf(randomBytes(8 * MEBIBYTE)));
    const reading = new AbortController();
    const object = await store.get('f/big', { signal: reading.signal });
    const reason = new Error('enough');
    const read = async (): Promise<void> => {
      for await (const part of object.bytes) if (part.length > 0) reading.abort(reason);
    };
    await expect(read()).rejects.toBe(reason);
    for await (const part of (await store.get('f/big')).bytes) {
      expect(part.length).toBeGreaterThan(0);
      break;
    }
  });

  it('is away, by name, where nobody answers and where the keys are wrong', async () => {
    const broken = [
      new S3ObjectStore({ ...config, endpoint: NOT_ANSWERING }),
      new S3ObjectStore({ ...config, secretKey: 'wrong-secret-key' }),
    ];
    for (const one of broken) {
      const away = { code: 'dependency_unavailable', dependency: 's3' };
      await expect(one.ensureBucket()).rejects.toMatchObject(away);
      await expect(one.probe()).rejects.toMatchObject(away);
      await expect(one.get('x')).rejects.toMatchObject(away);
      one.close();
    }
  });
});

async function removeBuckets(...buckets: string[]): Promise<void> {
  const { s3AccessKey: accessKeyId, s3SecretKey: secretAccessKey } = stackSecrets();
  const client = new S3Client({
    endpoint: runningStack().s3Endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  });
  for (const Bucket of buckets) await client.send(new DeleteBucketCommand({ Bucket }));
  client.destroy();
}

function bodyOf(bytes: Buffer): ObjectBody {
  return { bytes, contentLength: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

async function* pieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

async function read({ bytes }: StoredObject): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts);
}
