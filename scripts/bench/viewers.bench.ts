import { BerthClient } from './berth-client.js';
import { LeanViewer } from './lean-viewer.js';
import { MemoryWatch, type MemoryGrowth } from './memory-watch.js';
import { RawDocker } from './raw-docker.js';
import type { RunningInstance } from './running-instance.js';

const MEBIBYTE = 1_024 ** 2;
const OUTPUT_BYTES = 32 * MEBIBYTE;
const VIEWERS = 100;
const OWNER = 'bench';
/** Until all viewers are there. */
const HEAD_START_SECONDS = 3;

export interface ViewersRound {
  /** Megabytes a second that all viewers together got. */
  readonly rate: number;
  /** The same, with one more viewer that reads nothing. */
  readonly rateBesideStalled: number;
}

export interface ViewersReport {
  readonly viewers: number;
  readonly rounds: readonly ViewersRound[];
  readonly growth: MemoryGrowth;
}

/** Many viewers of one exec that runs, each on a WebSocket of its own; with and without one that has stalled, interleaved. */
export async function benchViewers(instance: RunningInstance, rounds: number): Promise<ViewersReport> {
  const client = await BerthClient.open(instance);
  try {
    const sandboxId = await client.runningSandbox(OWNER);
    const raw = await RawDocker.open(instance.dockerHost, sandboxId);
    await watchTogether(instance, client, sandboxId, 0);
    const memory = new MemoryWatch(instance, raw.containerId);
    const measured: ViewersRound[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const rate = await watchTogether(instance, client, sandboxId, 0);
      measured.push({ rate, rateBesideStalled: await watchTogether(instance, client, sandboxId, 1) });
    }
    return { viewers: VIEWERS, rounds: measured, growth: memory.stop() };
  } finally {
    client.close();
  }
}

/** Megabytes a second, from the first byte that anybody got to the last viewer's end. */
async function watchTogether(
  instance: RunningInstance,
  client: BerthClient,
  sandboxId: string,
  stalledViewers: number,
): Promise<number> {
  const command = `sleep ${HEAD_START_SECONDS}; yes "a line of output" | head -c ${OUTPUT_BYTES}`;
  const execId = await client.start(sandboxId, ['sh', '-c', command]);
  const open = (count: number): LeanViewer[] =>
    Array.from({ length: count }, () => new LeanViewer(instance, execId));
  const viewers = open(VIEWERS);
  const stalled = open(stalledViewers);
  const all = [...viewers, ...stalled];
  try {
    const firstByteAt = await firstByteOf(viewers);
    for (const viewer of stalled) viewer.stall();
    await Promise.all(viewers.map(({ ended }) => ended));
    const seconds = (performance.now() - firstByteAt) / 1_000;
    const wrong = viewers.find(({ outputBytes }) => outputBytes !== OUTPUT_BYTES);
    if (wrong) throw new Error(`A viewer got ${wrong.outputBytes} bytes instead of ${OUTPUT_BYTES}.`);
    return (VIEWERS * OUTPUT_BYTES) / 1e6 / seconds;
  } finally {
    for (const viewer of all) viewer.close();
  }
}

async function firstByteOf(viewers: readonly LeanViewer[]): Promise<number> {
  const broken = Promise.race(viewers.map(({ ended }) => ended));
  while (!viewers.some(({ outputBytes }) => outputBytes > 0)) {
    await Promise.race([broken, new Promise((resolve) => setTimeout(resolve, 1))]);
  }
  return performance.now();
}
