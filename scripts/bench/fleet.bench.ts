import { randomUUID } from 'node:crypto';
import { BerthClient } from './berth-client.js';
import { RawDocker, type RawCopy } from './raw-docker.js';
import type { RunningInstance } from './running-instance.js';

const OWNER = 'bench-fleet';
/** The best of these is what raw Docker can do on this machine. */
const RAW_CONCURRENCIES = [2, 4, 8, 16] as const;
const BERTH_CONCURRENCIES = [4, 8, 16] as const;
const STARTS_AT_ONCE = 4;

export interface FleetReport {
  readonly sandboxes: number;
  /** Restarts a second, by the number that was under way at once. */
  readonly raw: Readonly<Record<number, number>>;
  readonly berth: Readonly<Record<number, number>>;
}

/** A bulk restart of real sandboxes, and the restart of containers like theirs by the engine, each with several concurrencies. */
export async function benchFleet(
  instance: RunningInstance,
  size: number,
  say: (line: string) => void,
): Promise<FleetReport> {
  const client = await BerthClient.open(instance);
  const run = randomUUID().slice(0, 8);
  const sandboxIds: string[] = [];
  const copies: RawCopy[] = [];
  const numbers = Array.from({ length: size }, (_, number) => number);
  try {
    await inLanes(numbers, STARTS_AT_ONCE, async (number) => {
      sandboxIds.push(await client.runningSandbox(`${OWNER}-${run}-${number}`));
    });
    const berth: Record<number, number> = {};
    for (const maxConcurrency of BERTH_CONCURRENCIES) {
      const body = { action: 'restart', sandboxIds, maxConcurrency, failureBudget: 0 };
      berth[maxConcurrency] = await rateOf(size, () => client.bulk(body));
      say(`Berth, ${maxConcurrency} at once: ${berth[maxConcurrency].toFixed(2)} a second`);
    }
    const raw: Record<number, number> = {};
    await inLanes(sandboxIds, STARTS_AT_ONCE, async (id) => {
      copies.push(await (await RawDocker.open(instance.dockerHost, id)).copy());
    });
    for (const lanes of RAW_CONCURRENCIES) {
      raw[lanes] = await rateOf(size, () => inLanes(copies, lanes, (one) => one.measureRestart()));
      say(`Docker, ${lanes} at once: ${raw[lanes].toFixed(2)} a second`);
    }
    return { sandboxes: size, raw, berth };
  } finally {
    for (const copy of copies) await copy.remove();
    if (sandboxIds.length > 0) await client.bulk({ action: 'delete', sandboxIds });
    client.close();
  }
}

async function rateOf(size: number, work: () => Promise<unknown>): Promise<number> {
  const begunAt = performance.now();
  await work();
  return size / ((performance.now() - begunAt) / 1_000);
}

async function inLanes<T>(
  items: readonly T[],
  lanes: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const left = [...items];
  const lane = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
