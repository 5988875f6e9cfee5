import { createHash } from 'node:crypto';
import { BerthClient } from './berth-client.js';
import { MemoryWatch, type MemoryGrowth } from './memory-watch.js';
import { RawDocker } from './raw-docker.js';
import type { RunningInstance } from './running-instance.js';

const GIBIBYTE = 1_024 ** 3;
const MEBIBYTE = 1_024 ** 2;
const OWNER = 'bench';
const WARM_UP_BYTES = 64 * MEBIBYTE;
/** Far below what is expected of the slowest machine: it only ends a run that stands still. */
const SLOWEST_BYTES_PER_MS = 1_024;

export interface BulkReport {
  readonly bytes: number;
  /** Mebibytes a second. */
  readonly rate: number;
  readonly growth: MemoryGrowth;
}

/** Much output of one command to one WebSocket client that checks its SHA-256, and what memory that takes anywhere. */
export async function benchBulk(instance: RunningInstance, gibibytes: number): Promise<BulkReport> {
  const client = await BerthClient.open(instance);
  try {
    const sandboxId = await client.runningSandbox(OWNER);
    const raw = await RawDocker.open(instance.dockerHost, sandboxId);
    await pass(client, sandboxId, WARM_UP_BYTES);
    const memory = new MemoryWatch(instance, raw.containerId);
    const bytes = gibibytes * GIBIBYTE;
    const ms = await pass(client, sandboxId, bytes);
    return { bytes, rate: bytes / MEBIBYTE / (ms / 1_000), growth: memory.stop() };
  } finally {
    client.close();
  }
}

async function pass(client: BerthClient, sandboxId: string, bytes: number): Promise<number> {
  const hash = createHash('sha256');
  const argv = [
    'sh',
    '-c',
    `yes "a line of output as a build would print it: 1234567890" | head -c ${bytes}`,
  ];
  const { endMs, end } = await client.receive(
    sandboxId,
    argv,
    (payload) => void hash.update(payload),
    60_000 + bytes / SLOWEST_BYTES_PER_MS,
  );
  if (end.exec?.exitRecord?.stdoutSha256 !== hash.digest('hex')) {
    throw new Error('The bytes that arrived are not those that were written.');
  }
  return endMs;
}
