import { BerthClient } from './berth-client.js';
import type { RunningInstance } from './running-instance.js';
import { summaryOf, type Summary } from './statistics.js';

const ROUNDS = 4;
const WARM_UP = 10;
const FORK_BOMB = ['bash', '-c', 'b() { b | b & b; }; b'];
/** Longer than a round takes; it is canceled before. */
const BOMB_SECONDS = 120;
const BOMB_MS = BOMB_SECONDS * 1_000;

export interface NeighboursReport {
  readonly quiet: Summary;
  readonly bombed: Summary;
}

/** What a fork bomb in one sandbox does to the commands of another one: `true` next door, with and without it, by turns. */
export async function benchNeighbours(instance: RunningInstance, count: number): Promise<NeighboursReport> {
  const client = await BerthClient.open(instance);
  try {
    const hog = await client.runningSandbox('bench-hog');
    const neighbour = await client.runningSandbox('bench-neighbour');
    const [quiet, bombed]: [number[], number[]] = [[], []];
    const perRound = Math.ceil(count / ROUNDS);
    await timesOf(client, neighbour, WARM_UP);
    for (let round = 0; round < ROUNDS; round += 1) {
      quiet.push(...(await timesOf(client, neighbour, perRound)));
      const bomb = await client.start(hog, FORK_BOMB, { timeoutSeconds: BOMB_SECONDS });
      const begunAt = performance.now();
      bombed.push(...(await timesOf(client, neighbour, perRound)));
      if (performance.now() - begunAt > BOMB_MS) throw new Error('The bomb was over before its round was.');
      await client.cancel(bomb);
    }
    return { quiet: summaryOf(quiet), bombed: summaryOf(bombed) };
  } finally {
    client.close();
  }
}

async function timesOf(client: BerthClient, sandboxId: string, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < count; n += 1) times.push((await client.measure(sandboxId, ['true'])).endMs);
  return times;
}
