import { setTimeout as delay } from 'node:timers/promises';
import { BerthClient } from './berth-client.js';
import { processorMs, residentBytes } from './process-costs.js';
import { RawDocker } from './raw-docker.js';
import type { RunningInstance } from './running-instance.js';

const OWNER = 'bench-idle';
/** What a start leaves behind has gone by then. */
const SETTLE_MS = 20_000;
const WATCH_MS = 30_000;
const MINUTE_MS = 60_000;
const MEBIBYTE = 1_024 ** 2;
const REQUEST_MS_MAX = 10_000;

export interface IdleReport {
  readonly sandboxes: number;
  /** Runs that are open in Temporal besides its own: none of them belongs to a sandbox in which nothing happens. */
  readonly openRuns: readonly string[];
  /** Mebibytes a sandbox that API and worker have grown by, together. */
  readonly controlMemory: number;
  readonly runnerMemory: number;
  /** Milliseconds of processor a minute and sandbox, beyond what API and worker took when the sandboxes were not there. */
  readonly controlProcessor: number;
  readonly runnerProcessor: number;
}

interface Costs {
  readonly memoryBytes: number;
  readonly runnerBytes: number;
  readonly processorMs: number;
  readonly runnerProcessorMs: number;
}

/** What sandboxes cost in which nothing happens. Those of an earlier run are there already, so each run has owners of its own. */
export async function benchIdle(instance: RunningInstance, sandboxes: number): Promise<IdleReport> {
  const client = await BerthClient.open(instance);
  const owner = `${OWNER}-${Date.now().toString(36)}`;
  try {
    const raw = await RawDocker.open(instance.dockerHost, await client.runningSandbox(`${owner}-0`));
    const before = await costsOf(instance, raw.containerId);
    for (let n = 1; n <= sandboxes; n += 1) await client.runningSandbox(`${owner}-${n}`);
    const after = await costsOf(instance, raw.containerId);
    return {
      sandboxes,
      openRuns: await openRuns(instance),
      controlMemory: (after.memoryBytes - before.memoryBytes) / MEBIBYTE / sandboxes,
      runnerMemory: after.runnerBytes / MEBIBYTE,
      controlProcessor: (after.processorMs - before.processorMs) / sandboxes,
      runnerProcessor: after.runnerProcessorMs,
    };
  } finally {
    client.close();
  }
}

/** Memory after a pause, and processor a minute over a while in which nothing is asked for. */
async function costsOf(instance: RunningInstance, containerId: string): Promise<Costs> {
  await delay(SETTLE_MS);
  const begun = processorMs(instance, containerId);
  await delay(WATCH_MS);
  const ended = processorMs(instance, containerId);
  const memory = residentBytes(instance, containerId);
  const perMinute = MINUTE_MS / WATCH_MS;
  return {
    memoryBytes: memory.api + memory.worker,
    runnerBytes: memory.runner,
    processorMs: (ended.api + ended.worker - begun.api - begun.worker) * perMinute,
    runnerProcessorMs: (ended.runner - begun.runner) * perMinute,
  };
}

/** As Temporal's Web UI lists them. */
async function openRuns({ temporalUiUrl }: RunningInstance): Promise<string[]> {
  const url = new URL('/api/v1/namespaces/default/workflows', temporalUiUrl);
  url.searchParams.set('query', `ExecutionStatus = "Running"`);
  const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_MS_MAX) });
  if (!response.ok) throw new Error(`Temporal's Web UI answered ${response.status}.`);
  const { executions = [] } = (await response.json()) as {
    executions?: { type: { name: string }; execution: { workflowId: string } }[];
  };
  return executions
    .map(({ execution }) => execution.workflowId)
    .filter((id) => !id.startsWith('temporal-sys-'));
}
