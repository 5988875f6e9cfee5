import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { endFromExitRecord, isAway, type ExecId, type SandboxId } from '#domain';
import { exitRecordOf } from '../../../test/fakes/exit-record.js';
import { runningStack } from '../../../test/stack/running-stack.js';
import { PostgresExecStore } from './stores/exec.store.js';
import { createTestDatabase, onServer, type TestDatabase } from './testing-database.js';
import { chunkOf, HOST, newExec, runningSandbox } from './testing-rows.js';

const MIB = 1_048_576;
const DISK_MIB = 48;
const CHUNK_BYTES = 256 * 1_024;
const CHUNKS_MAX = (2 * DISK_MIB * MIB) / CHUNK_BYTES;
/** Held by nothing, so that an end has room where output has none. */
const RESERVE_MIB = 4;

let disk: string;
let test: TestDatabase;
let execs: PostgresExecStore;
let sandbox: SandboxId;

const reserve = (): string => join(disk, 'reserve');

beforeAll(async () => {
  disk = mkdtempSync(join(tmpdir(), 'berth-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m,mode=0755`, 'tmpfs', disk]);
  mkdirSync(join(disk, 'postgres'), { mode: 0o700 });
  await onServer(runningStack().databaseUrl, `CREATE TABLESPACE full_disk LOCATION '${disk}/postgres'`);
  test = await createTestDatabase(runningStack().databaseUrl, 'full_disk');
  execs = new PostgresExecStore(test.database, test.wakes);
  sandbox = await runningSandbox(test.database, 'large');
  writeFileSync(reserve(), Buffer.alloc(RESERVE_MIB * MIB));
});

afterAll(async () => {
  await test.drop();
  await onServer(runningStack().databaseUrl, 'DROP TABLESPACE full_disk');
  execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

async function runningExec(): Promise<ExecId> {
  const { row } = await execs.create(newExec(sandbox));
  await execs.claim(row.id, HOST);
  await execs.markRunning(row.id);
  return row.id;
}

/** Bytes that do not compress. */
const payload = Buffer.from(Array.from({ length: CHUNK_BYTES }, (_, n) => (n * 2_654_435_761) >>> 24));

describe('a database whose disk is full', () => {
  it('takes no more output, has lost none of what it took, and goes on where it was once there is room', async () => {
    const id = await runningExec();
    const { refused, error } = await fill(id);
    expect(isAway(error, 'postgres')).toBe(true);
    expect(error).toMatchObject({ code: 'disk_pressure', retryAfterSeconds: expect.any(Number) });
    expect(await execs.get(id)).toMatchObject({ state: 'running', committedPosition: refused.position });
    await expect(execs.append(id, refused)).rejects.toMatchObject({ code: 'disk_pressure' });

    rmSync(reserve());
    await execs.append(id, refused);
    const end = exitRecordOf({ endPosition: refused.endPosition, stdoutBytes: refused.stdoutTo });
    await execs.end(id, ['running'], endFromExitRecord(end));
    expect(await execs.get(id)).toMatchObject({ state: 'succeeded', stdoutBytes: refused.stdoutTo });
    for (let at = 0; at < refused.endPosition;) {
      const [chunk] = await execs.readChunks(id, at, CHUNK_BYTES);
      expect(chunk?.position).toBe(at);
      at = chunk?.endPosition ?? Infinity;
    }
  });
});

/** Commits chunk after chunk until there is no room for one. */
async function fill(id: ExecId) {
  let next = chunkOf(0, 0, payload);
  for (let n = 0; n < CHUNKS_MAX; n += 1) {
    const error: unknown = await execs.append(id, next).then(
      () => undefined,
      (refusal: unknown) => refusal,
    );
    if (error !== undefined) return { refused: next, error };
    next = chunkOf(next.endPosition, next.stdoutTo, payload);
  }
  throw new Error(`${CHUNKS_MAX} chunks had room on a disk of ${DISK_MIB} MiB.`);
}
