import { createHash, randomUUID } from 'node:crypto';
import { jest } from '@jest/globals';
import { BASE_IMAGE } from '../../../scripts/launcher/base-image.js';
import { runningStack } from '../../../test/stack/running-stack.js';
import { workspaceId, type ArchiveSummary, type WorkspaceRef } from '#domain';
import type { DockerEngine } from './docker-engine.js';
import { tarOf } from './tar-file.js';
import { TestingEngine } from './testing-engine.js';

const SET_UP_TIMEOUT_MS = 240_000;
jest.setTimeout(60_000);

const NEVER = new AbortController().signal;
let testing: TestingEngine;
let engine: DockerEngine;

beforeAll(async () => {
  testing = await TestingEngine.open(runningStack().dockerHost, BASE_IMAGE);
  engine = testing.engine();
}, SET_UP_TIMEOUT_MS);
afterAll(async () => testing.close());

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

const fileIn = (name: string) => [{ name, mode: 0o644, content: Buffer.from('content') }];

function summaryOf(stream: Buffer, change: Partial<ArchiveSummary> = {}): ArchiveSummary {
  const sha256 = createHash('sha256').update(stream).digest('hex');
  const counted = { formatVersion: 1, entries: 1, bytes: 7, changed: 0, skipped: 0 };
  return { ...counted, streamBytes: stream.byteLength, sha256, ...change };
}

async function unpack(stream: Buffer, change: Partial<ArchiveSummary> = {}): Promise<WorkspaceRef> {
  const spec = testing.spec(BASE_IMAGE);
  const workspace = { sandboxId: spec.sandboxId, workspaceId: workspaceId(randomUUID()) };
  const archive = { bytes: pieces(stream), summary: summaryOf(stream, change) };
  await engine.unpackWorkspace(workspace, spec, archive, NEVER);
  return workspace;
}

describe('the archive of a workspace', () => {
  it('is unpacked into a volume of its own and read again, and refused by one that holds anything; then its container is gone', async () => {
    const stream = tarOf(fileIn('a'));
    const workspace = await unpack(stream);
    const spec = testing.spec(BASE_IMAGE, workspace);
    const again = { bytes: pieces(stream), summary: summaryOf(stream) };
    await expect(engine.unpackWorkspace(workspace, spec, again, NEVER)).rejects.toMatchObject({
      code: 'archive_refused',
    });
    const archive = await engine.readWorkspace(workspace, 'berth/its-image-is-gone:1', NEVER);
    const hash = createHash('sha256');
    for await (const piece of archive.bytes) hash.update(piece);
    // The folder itself is one more.
    expect(archive.summary()).toMatchObject({ entries: 2, bytes: 7, sha256: hash.digest('hex') });
    const left = (await testing.containers()).filter(({ Labels }) => 'berth.archive' in Labels);
    expect(left).toEqual([]);
    expect(await engine.removeWorkspaces([workspace, workspace])).toBeGreaterThan(0);
    await expect(engine.readWorkspace(workspace, spec.image, NEVER)).rejects.toMatchObject({
      code: 'workspace_missing',
    });
  });

  it.each([
    ['leads out of it', tarOf(fileIn('../outside')), {}, 'outside'],
    ['is absolute', tarOf(fileIn('/tmp/outside')), {}, 'outside'],
    ['has an entry twice', tarOf([...fileIn('a'), ...fileIn('./a')]), {}, 'duplicate'],
    ['is cut off', tarOf(fileIn('a')).subarray(0, 515), {}, 'truncated'],
    ['has other bytes', tarOf(fileIn('a')), { sha256: '0'.repeat(64) }, 'hash_mismatch'],
    ['is no archive', Buffer.alloc(5_000, 'no tar'), {}, 'malformed'],
  ] as const)('is refused where it %s', async (_what, stream, change, refusal) => {
    await expect(unpack(stream, change)).rejects.toMatchObject({
      code: 'archive_refused',
      extra: { refusal },
    });
  });
});
