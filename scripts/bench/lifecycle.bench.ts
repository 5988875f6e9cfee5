import { randomUUID } from 'node:crypto';
import { BerthClient, type LifecycleAnswer } from './berth-client.js';
import { RawDocker, type RawCopy } from './raw-docker.js';
import type { RunningInstance } from './running-instance.js';
import { summaryOf, type Summary } from './statistics.js';

const OWNER = 'bench-lifecycle';

export interface LifecycleReport {
  /** A container with volumes of its own, created and started; and a sandbox, from the request until it takes execs. */
  readonly create: { readonly raw: Summary; readonly berth: Summary };
  /** The engine restarts a container like that of a sandbox; and a restart of that sandbox, with the same grace for what runs. */
  readonly restart: { readonly raw: Summary; readonly berth: Summary };
  /** Where the time of a restart goes: each step, and what lies between them. In milliseconds, p50. */
  readonly steps: Readonly<Record<string, number>>;
}

/** Interleaved, so that what else the machine does meets both alike. */
export async function benchLifecycle(
  instance: RunningInstance,
  rounds: number,
  onRound: (round: number) => void,
): Promise<LifecycleReport> {
  const client = await BerthClient.open(instance);
  const run = randomUUID().slice(0, 8);
  const sandboxes: string[] = [];
  const copies: RawCopy[] = [];
  try {
    const model = await client.runningSandbox(`${OWNER}-${run}`);
    sandboxes.push(model);
    // A sandbox whose container the engine restarts by itself would be another thing that Berth looks after.
    const restarted = await (await RawDocker.open(instance.dockerHost, model)).copy();
    copies.push(restarted);
    const times = {
      rawCreate: [] as number[],
      create: [] as number[],
      rawRestart: [] as number[],
      restart: [] as number[],
    };
    const restarts: LifecycleAnswer[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      const raw = await RawDocker.open(instance.dockerHost, model);
      const copy = await raw.copy();
      times.rawCreate.push(copy.createMs);
      await copy.remove();
      times.create.push(
        await timed(async () => sandboxes.push(await client.runningSandbox(`${OWNER}-${run}-${round}`))),
      );
      times.rawRestart.push(await restarted.measureRestart());
      times.restart.push(
        await timed(async () => restarts.push(await client.change('POST', `${model}/restart`))),
      );
      onRound(round);
    }
    return {
      create: { raw: summaryOf(times.rawCreate), berth: summaryOf(times.create) },
      restart: { raw: summaryOf(times.rawRestart), berth: summaryOf(times.restart) },
      steps: stepsOf(restarts),
    };
  } finally {
    for (const copy of copies) await copy.remove();
    for (const id of sandboxes) await client.change('DELETE', id);
    client.close();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begunAt = performance.now();
  await work();
  return performance.now() - begunAt;
}

/** Before the first step lie the request and the first turn of the run; between steps the turns from one to the next. */
function stepsOf(restarts: readonly LifecycleAnswer[]): Record<string, number> {
  const parts = new Map<string, number[]>();
  const add = (name: string, ms: number): void => void parts.set(name, [...(parts.get(name) ?? []), ms]);
  for (const { operation } of restarts) {
    if (operation === null) continue;
    let before = Date.parse(operation.createdAt);
    for (const { name, startedAt, finishedAt } of operation.steps) {
      add(`before ${name}`, Date.parse(startedAt) - before);
      before = Date.parse(finishedAt ?? startedAt);
      add(name, before - Date.parse(startedAt));
    }
  }
  return Object.fromEntries([...parts].map(([name, values]) => [name, summaryOf(values).p50]));
}
