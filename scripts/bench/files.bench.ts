import { randomBytes, randomUUID } from 'node:crypto';
import { pack } from 'tar-stream';
import { RawDocker } from './raw-docker.js';
import { BerthClient } from './berth-client.js';
import type { RunningInstance } from './running-instance.js';
import { ratioOf, summaryOf, type Summary } from './statistics.js';

const WARM_UP_ROUNDS = 3;
const OWNER = 'bench-files';
const SMALL_BYTES = 1_024;
const LARGE_BYTES = Number(process.env['L'] ?? 100) * 1_024 * 1_024;
/** As many small files for each large one. */
const SMALL_PER_LARGE = 10;
const FILE_MODE = 0o644;
const BLOCK_BYTES = 1_024 * 1_024;

const KINDS = ['write', 'read', 'large'] as const;
type Kind = (typeof KINDS)[number];

export type FilesReport = Readonly<
  Record<Kind, { readonly raw: Summary; readonly berth: Summary & { readonly ratioToRaw: number } }>
>;

/**
 * Files of 1 KiB written and read, and files of 100 MiB written, by Berth's API and by the engine's archive API, by turns. The
 * archive is made before the clock starts, and taken apart after it: what is measured is the way into the container.
 */
export async function benchFiles(
  instance: RunningInstance,
  rounds: number,
  onRound: (round: number) => void,
): Promise<FilesReport> {
  const client = await BerthClient.open(instance);
  try {
    const sandboxId = await client.runningSandbox(OWNER);
    const raw = await RawDocker.open(instance.dockerHost, sandboxId);
    const durations = emptyDurations();
    const large = await contentOf(LARGE_BYTES);
    for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
      const small = await contentOf(SMALL_BYTES);
      await turn(durations, round >= 0, 'write', {
        raw: () => raw.putArchive(small.archive),
        berth: () => client.putFile(sandboxId, small.name, small.bytes),
      });
      await turn(durations, round >= 0, 'read', {
        raw: () => raw.getArchive(small.name),
        berth: () => client.getFile(sandboxId, small.name, small.bytes),
      });
      if (round >= 0 && round % SMALL_PER_LARGE !== 0) continue;
      await turn(durations, round >= 0, 'large', {
        raw: () => raw.putArchive(large.archive),
        berth: () => client.putFile(sandboxId, large.name, large.bytes),
      });
      onRound(round);
    }
    return reportOf(durations);
  } finally {
    client.close();
  }
}

type Durations = Record<Kind, { readonly raw: number[]; readonly berth: number[] }>;

const emptyDurations = (): Durations => ({
  write: { raw: [], berth: [] },
  read: { raw: [], berth: [] },
  large: { raw: [], berth: [] },
});

async function turn(
  durations: Durations,
  counts: boolean,
  kind: Kind,
  ways: Readonly<Record<'raw' | 'berth', () => Promise<void>>>,
): Promise<void> {
  for (const way of ['raw', 'berth'] as const) {
    const begunAt = performance.now();
    await ways[way]();
    if (counts) durations[kind][way].push(performance.now() - begunAt);
  }
}

function reportOf(durations: Durations): FilesReport {
  const of = (kind: Kind) => {
    const raw = summaryOf(durations[kind].raw);
    const berth = summaryOf(durations[kind].berth);
    return { raw, berth: { ...berth, ratioToRaw: ratioOf(berth, raw) } };
  };
  return { write: of('write'), read: of('read'), large: of('large') };
}

/** Random, so that nothing on the way can make it smaller. */
async function contentOf(length: number): Promise<{ name: string; bytes: Buffer; archive: Buffer }> {
  const name = `bench-${randomUUID()}`;
  const block = randomBytes(Math.min(length, BLOCK_BYTES));
  const bytes = Buffer.concat(Array.from({ length: length / block.byteLength }, () => block));
  const stream = pack();
  stream.entry({ name, mode: FILE_MODE }, bytes);
  stream.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return { name, bytes, archive: Buffer.concat(pieces) };
}
