import { createHash } from 'node:crypto';
import { BerthClient } from './berth-client.js';
import { MemoryWatch, type MemoryGrowth } from './memory-watch.js';
import { RawDocker } from './raw-docker.js';
import type { RunningInstance } from './running-instance.js';

const MEBIBYTE = 1_024 * 1_024;
const OUTPUT_BYTES = 100 * MEBIBYTE;
const OWNER = 'bench';

export const KINDS = {
  lines: `yes "a line of output as a build would print it, with a number or two: 1234567890" | head -c ${OUTPUT_BYTES}`,
  zeros: `head -c ${OUTPUT_BYTES} /dev/zero`,
} as const;
export type OutputKind = keyof typeof KINDS;

export interface OutputRound {
  readonly kind: OutputKind;
  /** Mebibytes a second. */
  readonly rawRate: number;
  readonly berthRate: number;
}

export interface OutputReport {
  readonly rounds: readonly OutputRound[];
  /** How much each had grown at the most while the output passed. */
  readonly growth: MemoryGrowth;
}

/** 100 MiB of each kind, durable, to one WebSocket client that checks the SHA-256, beside Docker's own attached stream. */
export async function benchOutput(
  instance: RunningInstance,
  rounds: number,
  onProgress: (round: OutputRound) => void,
): Promise<OutputReport> {
  const client = await BerthClient.open(instance);
  try {
    const sandboxId = await client.runningSandbox(OWNER);
    const raw = await RawDocker.open(instance.dockerHost, sandboxId);
    const measured: OutputRound[] = [];
    await measureOne(client, raw, sandboxId, 'lines');
    const memory = new MemoryWatch(instance, raw.containerId);
    for (let round = 0; round < rounds; round += 1) {
      for (const kind of ['lines', 'zeros'] as const) {
        const one = await measureOne(client, raw, sandboxId, kind);
        measured.push(one);
        onProgress(one);
      }
    }
    return { rounds: measured, growth: memory.stop() };
  } finally {
    client.close();
  }
}

async function measureOne(
  client: BerthClient,
  raw: RawDocker,
  sandboxId: string,
  kind: OutputKind,
): Promise<OutputRound> {
  const argv = ['sh', '-c', KINDS[kind]];
  const rawMs = await raw.measureOutput(argv, OUTPUT_BYTES);
  const hash = createHash('sha256');
  let bytes = 0;
  const { endMs, end } = await client.receive(sandboxId, argv, (payload) => {
    hash.update(payload);
    bytes += payload.byteLength;
  });
  if (bytes !== OUTPUT_BYTES) throw new Error(`${bytes} bytes arrived instead of ${OUTPUT_BYTES}.`);
  if (end.exec?.exitRecord?.stdoutSha256 !== hash.digest('hex')) {
    throw new Error('The bytes that arrived are not those that were written.');
  }
  return { kind, rawRate: rateOf(rawMs), berthRate: rateOf(endMs) };
}

const rateOf = (ms: number): number => OUTPUT_BYTES / MEBIBYTE / (ms / 1_000);
