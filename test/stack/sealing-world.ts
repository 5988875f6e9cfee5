import { createHash, randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import {
  encodeFrame,
  endFromExitRecord,
  execId,
  ownerId,
  StoredOutput,
  tenantId,
  type Chunk,
  type Exec,
  type ExecId,
  type Log,
  type OutputSource,
} from '#domain';
import {
  PostgresExecStore,
  PostgresRetentionStore,
  PostgresSealingStore,
  PostgresSearchStore,
  PostgresSegmentStore,
} from '#postgres';
import { S3ObjectStore } from '#s3';
import { createTestDatabase, type TestDatabase } from '../../libs/postgres/src/testing-database.js';
import { HOST, runningSandbox } from '../../libs/postgres/src/testing-rows.js';
import { exitRecordOf } from '../fakes/exit-record.js';
import { runningStack, stackSecrets } from './running-stack.js';

const TENANT = tenantId('default');
const SILENT: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface Piece {
  readonly stream?: 'stdout' | 'stderr';
  readonly bytes: Uint8Array;
}

/** A database and a bucket of its own, the stores over them, and hands to play the part of a host. */
export class SealingWorld {
  /** The framed output of each exec, as it was written. */
  readonly written = new Map<ExecId, Buffer[]>();
  readonly execs: PostgresExecStore;
  readonly segments: PostgresSegmentStore;
  readonly sealing: PostgresSealingStore;
  readonly search: PostgresSearchStore;
  readonly retention: PostgresRetentionStore;
  readonly output: OutputSource;

  private constructor(
    readonly test: TestDatabase,
    readonly objects: S3ObjectStore,
  ) {
    const { database } = test;
    this.execs = new PostgresExecStore(database, test.wakes);
    this.segments = new PostgresSegmentStore(database);
    this.sealing = new PostgresSealingStore(database);
    this.search = new PostgresSearchStore(database);
    this.retention = new PostgresRetentionStore(database);
    this.output = new StoredOutput(this.execs, this.segments, objects);
  }

  static async open(): Promise<SealingWorld> {
    const { s3AccessKey: accessKey, s3SecretKey: secretKey } = stackSecrets();
    const { databaseUrl, s3Endpoint: endpoint } = runningStack();
    const bucket = `berth-test-${randomBytes(6).toString('hex')}`;
    const objects = new S3ObjectStore({ endpoint, region: 'us-east-1', bucket, accessKey, secretKey });
    await objects.ensureBucket();
    return new SealingWorld(await createTestDatabase(databaseUrl), objects);
  }

  get ports() {
    const { execs: hot, sealing, segments, search, objects } = this;
    return { hot, sealing, segments, search, objects, log: SILENT };
  }

  async close(): Promise<void> {
    for (const key of await this.keys()) await this.objects.delete(key);
    this.objects.close();
    await this.test.drop();
  }

  async keys(): Promise<string[]> {
    const { objects } = await this.objects.list('');
    return objects.map(({ key }) => key);
  }

  async runningExec(owner = 'u1', argv: readonly string[] = ['true']): Promise<ExecId> {
    const sandbox = await runningSandbox(this.test.database, 'small', owner);
    const request = {
      argv,
      env: {},
      workingDirectory: null,
      user: null,
      stdin: { kind: 'none' as const },
      tty: null,
      idleTimeoutSeconds: null,
      allowBackground: false,
      timeoutSeconds: 60,
      queueTimeoutSeconds: 60,
      outputBytesMax: 1_000,
      labels: { purpose: 'sealing-test' },
    };
    const id = execId(uuidv7());
    const scope = { tenantId: TENANT, ownerId: ownerId(owner), sandboxId: sandbox };
    await this.execs.create({ id, ...scope, request, requestHash: 'hash' });
    await this.execs.claim(id, HOST);
    await this.execs.markRunning(id);
    return id;
  }

  /** One chunk of one frame for each piece. */
  async write(id: ExecId, ...pieces: readonly Piece[]): Promise<void> {
    for (const { stream = 'stdout', bytes } of pieces) {
      const chunk = chunkAfter(await this.execs.get(id), stream, bytes);
      if (!(await this.execs.append(id, chunk))) throw new Error('The output was not appended.');
      this.written.set(id, [...(this.written.get(id) ?? []), Buffer.from(chunk.frames)]);
    }
  }

  async end(id: ExecId): Promise<void> {
    const exec = await this.execs.get(id);
    const record = exitRecordOf({
      execId: id,
      endPosition: exec.committedPosition,
      stdoutBytes: exec.stdoutBytes,
      stderrBytes: exec.stderrBytes,
      stdoutSha256: sha256(this.streamOf(id, 1)),
      stderrSha256: sha256(this.streamOf(id, 2)),
    });
    if (!(await this.execs.end(id, ['running'], endFromExitRecord(record)))) throw new Error('Not ended.');
  }

  async endedExec(owner: string, ...pieces: readonly Piece[]): Promise<ExecId> {
    const id = await this.runningExec(owner);
    await this.write(id, ...pieces);
    await this.end(id);
    return id;
  }

  /** As if everything had ended so much earlier. */
  async letPass(seconds: number): Promise<void> {
    await this.test.database.query(`UPDATE execs SET finished_at = finished_at - make_interval(secs => $1)`, [
      seconds,
    ]);
    await this.test.database.query(`UPDATE pending_objects SET since = since - make_interval(secs => $1)`, [
      seconds,
    ]);
  }

  framesOf(id: ExecId): Buffer {
    return Buffer.concat(this.written.get(id) ?? []);
  }

  async count(table: 'exec_chunks' | 'exec_segments' | 'pending_objects', id?: ExecId): Promise<number> {
    const [row] = await this.test.database.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM ${table} ${id === undefined ? '' : 'WHERE exec_id = $1'}`,
      id === undefined ? [] : [id],
    );
    return row?.count ?? 0;
  }

  private streamOf(id: ExecId, number: number): Buffer {
    const frames = this.written.get(id) ?? [];
    return Buffer.concat(frames.filter((frame) => frame[1] === number).map((frame) => frame.subarray(24)));
  }
}

function chunkAfter(exec: Exec, stream: 'stdout' | 'stderr', payload: Uint8Array): Chunk {
  const offset = stream === 'stdout' ? exec.stdoutBytes : exec.stderrBytes;
  const frames = encodeFrame({ stream, flags: 0, offset, timeMicros: 1, payload });
  const bytes = payload.byteLength;
  return {
    position: exec.committedPosition,
    endPosition: exec.committedPosition + frames.byteLength,
    stdoutFrom: exec.stdoutBytes,
    stdoutTo: exec.stdoutBytes + (stream === 'stdout' ? bytes : 0),
    stderrFrom: exec.stderrBytes,
    stderrTo: exec.stderrBytes + (stream === 'stderr' ? bytes : 0),
    frames,
  };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Everything from a position on, in fetches of a size. */
export async function readFrames(
  source: OutputSource,
  id: ExecId,
  from: number,
  to: number,
  bytesMax = 262_144,
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let at = from;
  while (at < to) {
    const chunks = await source.readChunks(id, at, bytesMax);
    if (chunks.length === 0) throw new Error(`Nothing at ${at}`);
    for (const chunk of chunks) {
      if (chunk.position > at) throw new Error(`A gap at ${at}`);
      parts.push(chunk.frames.subarray(at - chunk.position));
      at = chunk.endPosition;
    }
  }
  return Buffer.concat(parts);
}
