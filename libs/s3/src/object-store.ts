import { createHash, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type BucketLocationConstraint,
} from '@aws-sdk/client-s3';
import {
  DomainError,
  OBJECT_PAGE_SIZE_MAX,
  type GetObjectOptions,
  type ObjectBody,
  type ObjectPage,
  type ObjectStore,
  type StoredObject,
} from '#domain';
import { guardedStream } from './guarded-stream.js';
import { httpStatusOf, nameOf, StorageDeadlineError, translateStorageError } from './s3-errors.js';

const CONNECT_TIMEOUT_MS = 3_000;
const CALL_DEADLINE_MS = 10_000;
/** A slow line is allowed to be this slow. */
const PUT_BYTES_PER_SECOND_MIN = 262_144;
const READ_SILENCE_MS_MAX = 30_000;
const ATTEMPTS_MAX = 3;
const REGION_WITHOUT_CONSTRAINT = 'us-east-1';
const PROBE_PREFIX = 'probe/';

/** What the client would print, it also throws; the caller logs it once, in its own way. */
const SILENT = {
  debug: (): void => undefined,
  info: (): void => undefined,
  warn: (): void => undefined,
  error: (): void => undefined,
};

export interface S3Config {
  /** For example http://127.0.0.1:9000. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

export class S3ObjectStore implements ObjectStore {
  private readonly client: S3Client;
  private readonly bucket: string;

  constructor(private readonly config: S3Config) {
    this.bucket = config.bucket;
    this.client = new S3Client({
      endpoint: config.endpoint,
      region: config.region,
      credentials: { accessKeyId: config.accessKey, secretAccessKey: config.secretKey },
      forcePathStyle: true,
      maxAttempts: ATTEMPTS_MAX,
      // The checksums that newer clients add by themselves are unknown to many servers; ours are given with each object.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS },
      logger: SILENT,
    });
  }

  async ensureBucket(): Promise<void> {
    if (await this.hasBucket()) return;
    const { region } = this.config;
    try {
      await this.call('create the bucket', (abortSignal) =>
        this.client.send(
          new CreateBucketCommand({
            Bucket: this.bucket,
            ...(region === REGION_WITHOUT_CONSTRAINT
              ? {}
              : { CreateBucketConfiguration: { LocationConstraint: region as BucketLocationConstraint } }),
          }),
          { abortSignal },
        ),
      );
    } catch (error) {
      // Somebody else was creating it at the same time.
      const wasFirst = httpStatusOf(error instanceof DomainError ? error.cause : error) === 409;
      if (!wasFirst || !(await this.hasBucket())) throw error;
    }
  }

  async probe(): Promise<void> {
    const key = `${PROBE_PREFIX}${randomUUID()}`;
    const bytes = Buffer.from(key);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await this.put(key, { bytes, contentLength: bytes.length, sha256 });
    const parts: Uint8Array[] = [];
    for await (const part of (await this.get(key)).bytes) parts.push(part);
    await this.delete(key);
    if (Buffer.concat(parts).equals(bytes)) return;
    throw new DomainError(
      'dependency_unavailable',
      'The object storage gives other bytes than it was given.',
      {
        dependency: 's3',
      },
    );
  }

  async put(key: string, { bytes, contentLength, sha256, contentType }: ObjectBody): Promise<void> {
    const deadlineMs = CALL_DEADLINE_MS + (contentLength / PUT_BYTES_PER_SECOND_MIN) * 1_000;
    const command = new PutObjectCommand({
      Bucket: this.bucket,
      Key: key,
      Body: bytes instanceof Uint8Array ? bytes : Readable.from(bytes, { objectMode: false }),
      ContentLength: contentLength,
      ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64'),
      ...(contentType === undefined ? {} : { ContentType: contentType }),
    });
    await this.call(
      'write an object',
      (abortSignal) => this.client.send(command, { abortSignal }),
      deadlineMs,
    );
  }

  async get(key: string, { from = 0, to, signal }: GetObjectOptions = {}): Promise<StoredObject> {
    signal?.throwIfAborted();
    const isWhole = from === 0 && to === undefined;
    const command = new GetObjectCommand({
      Bucket: this.bucket,
      Key: key,
      ...(isWhole ? {} : { Range: `bytes=${from}-${to === undefined ? '' : to - 1}` }),
    });
    const answer = await this.call('read an object', (abortSignal) =>
      this.client.send(command, { abortSignal }),
    );
    const body = answer.Body as Readable;
    const contentLength = answer.ContentLength ?? 0;
    const stop = (): void => void body.destroy(signal?.reason as Error);
    signal?.addEventListener('abort', stop, { once: true });
    return {
      contentLength,
      sizeBytes: wholeSizeOf(answer.ContentRange) ?? contentLength,
      bytes: guardedStream(body as AsyncIterable<Uint8Array>, {
        contentLength,
        silenceMs: READ_SILENCE_MS_MAX,
        signal,
        end: () => {
          signal?.removeEventListener('abort', stop);
          body.destroy();
        },
      }),
    };
  }

  async delete(key: string): Promise<void> {
    await this.call('delete an object', (abortSignal) =>
      this.client.send(new DeleteObjectCommand({ Bucket: this.bucket, Key: key }), { abortSignal }),
    );
  }

  async list(
    prefix: string,
    { after, limit = OBJECT_PAGE_SIZE_MAX }: { after?: string; limit?: number } = {},
  ): Promise<ObjectPage> {
    const command = new ListObjectsV2Command({
      Bucket: this.bucket,
      Prefix: prefix,
      MaxKeys: Math.min(limit, OBJECT_PAGE_SIZE_MAX),
      ...(after === undefined ? {} : { StartAfter: after }),
    });
    const answer = await this.call('list objects', (abortSignal) =>
      this.client.send(command, { abortSignal }),
    );
    const objects = (answer.Contents ?? []).flatMap(({ Key, Size }) =>
      Key === undefined ? [] : [{ key: Key, sizeBytes: Size ?? 0 }],
    );
    return { objects, next: answer.IsTruncated === true ? objects.at(-1)?.key : undefined };
  }

  /** Ends the idle connections. */
  close(): void {
    this.client.destroy();
  }

  private async hasBucket(): Promise<boolean> {
    try {
      await this.call('find the bucket', (abortSignal) =>
        this.client.send(new HeadBucketCommand({ Bucket: this.bucket }), { abortSignal }),
      );
      return true;
    } catch (error) {
      const cause = error instanceof DomainError ? error.cause : error;
      // A HEAD has no body to name the error, so the status has to do.
      if (httpStatusOf(cause) === 404 || nameOf(cause) === 'NoSuchBucket') return false;
      throw error;
    }
  }

  /** The deadline covers all attempts and ends with the answer's head: a body that is still coming lives on. */
  private async call<Result>(
    what: string,
    work: (abortSignal: AbortSignal) => Promise<Result>,
    deadlineMs = CALL_DEADLINE_MS,
  ): Promise<Result> {
    const controller = new AbortController();
    const late = new StorageDeadlineError(`No answer within ${Math.round(deadlineMs)} ms.`);
    const timer = setTimeout(() => controller.abort(late), deadlineMs);
    try {
      return await work(controller.signal);
    } catch (error) {
      throw translateStorageError(controller.signal.aborted ? late : error, what);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** From `bytes 5-9/120`. */
function wholeSizeOf(contentRange: string | undefined): number | undefined {
  const size = Number(/\/(\d+)$/.exec(contentRange ?? '')?.[1]);
  return Number.isSafeInteger(size) ? size : undefined;
}
