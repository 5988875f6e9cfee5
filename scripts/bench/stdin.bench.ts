import { createHash, randomBytes } from 'node:crypto';
import { BerthClient } from './berth-client.js';
import type { BulkReport } from './bulk.bench.js';
import { MemoryWatch } from './memory-watch.js';
import { RawDocker } from './raw-docker.js';
import type { RunningInstance } from './running-instance.js';

const GIBIBYTE = 1_024 ** 3;
const MEBIBYTE = 1_024 ** 2;
const OWNER = 'bench';
/** As much as one request takes. */
const PIECE_BYTES = MEBIBYTE;
const WARM_UP_PIECES = 32;

/** Much input to one command, which says the SHA-256 of what it has read, and what memory that takes anywhere. */
export async function benchStdin(instance: RunningInstance, gibibytes: number): Promise<BulkReport> {
  const client = await BerthClient.open(instance);
  try {
    const sandboxId = await client.runningSandbox(OWNER);
    const raw = await RawDocker.open(instance.dockerHost, sandboxId);
    await give(client, sandboxId, WARM_UP_PIECES);
    const memory = new MemoryWatch(instance, raw.containerId);
    const pieces = (gibibytes * GIBIBYTE) / PIECE_BYTES;
    const ms = await give(client, sandboxId, pieces);
    return { bytes: pieces * PIECE_BYTES, rate: pieces / (ms / 1_000), growth: memory.stop() };
  } finally {
    client.close();
  }
}

async function give(client: BerthClient, sandboxId: string, pieces: number): Promise<number> {
  const hash = createHash('sha256');
  const piece = randomBytes(PIECE_BYTES);
  const begunAt = performance.now();
  const id = await client.start(sandboxId, ['sha256sum'], { stdin: { kind: 'open' } });
  for (let n = 0; n < pieces; n += 1) {
    piece.writeUInt32BE(n);
    hash.update(piece);
    await client.putInput(id, n * PIECE_BYTES, piece, n === pieces - 1);
  }
  const said = await client.outputOf(id);
  if (!said.startsWith(hash.digest('hex')))
    throw new Error('The bytes that arrived are not those that were sent.');
  return performance.now() - begunAt;
}
