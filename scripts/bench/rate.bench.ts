import { Client, Connection } from '@temporalio/client';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiReplica, environmentOf } from './api-replica.js';
import { BerthClient } from './berth-client.js';
import { EXEC_WORKFLOW_SETTINGS, type ExecWorkflowSetting } from './exec.bench.js';
import { RawDocker } from './raw-docker.js';
import type { RunningInstance } from './running-instance.js';

const OWNER = 'bench-rate';
const WARM_UP_EXECS = 20;
/** The best of these is what raw Docker can do in one container. */
const RAW_CONCURRENCIES = [1, 2, 4, 8] as const;
const BERTH_CONCURRENCY = 8;
const CLOSED_WITHIN_MS = 120_000;
const LOOK_AGAIN_MS = 50;

export interface RateReport {
  readonly execs: number;
  /** Execs a second, by the number that was under way at once. */
  readonly raw: Readonly<Record<number, number>>;
  readonly rawBest: number;
  readonly settings: Readonly<Record<ExecWorkflowSetting, number>>;
}

/** `true` again and again in one sandbox, counted until the last one has ended and the last of their runs has closed. */
export async function benchRate(instance: RunningInstance, execs: number): Promise<RateReport> {
  const runs = await OpenRuns.connect(instance);
  try {
    const sandboxId = await sandboxOf(instance);
    const raw = await RawDocker.open(instance.dockerHost, sandboxId);
    const rawRates: Record<number, number> = {};
    for (const concurrency of RAW_CONCURRENCIES) {
      rawRates[concurrency] = await rateOf(execs, concurrency, () => raw.measureTrue());
    }
    const settings: Partial<Record<ExecWorkflowSetting, number>> = {};
    for (const setting of EXEC_WORKFLOW_SETTINGS) {
      settings[setting] = await rateWith(instance, setting, sandboxId, execs, runs);
    }
    const rates = settings as Record<ExecWorkflowSetting, number>;
    return { execs, raw: rawRates, rawBest: Math.max(...Object.values(rawRates)), settings: rates };
  } finally {
    await runs.close();
  }
}

async function rateWith(
  instance: RunningInstance,
  setting: ExecWorkflowSetting,
  sandboxId: string,
  execs: number,
  runs: OpenRuns,
): Promise<number> {
  const replica = await ApiReplica.start(instance, { BERTH_EXEC_WORKFLOW: setting });
  const clients = await Promise.all(
    Array.from({ length: BERTH_CONCURRENCY }, () => BerthClient.open(replica.instance)),
  );
  try {
    const free = [...clients];
    const once = async (): Promise<void> => {
      const client = free.pop();
      if (!client) throw new TypeError('More execs are under way than there are clients.');
      await client.measure(sandboxId, ['true']);
      free.push(client);
    };
    await rateOf(WARM_UP_EXECS, BERTH_CONCURRENCY, once);
    await runs.untilNone(sandboxId);
    return await rateOf(execs, BERTH_CONCURRENCY, once, () => runs.untilNone(sandboxId));
  } finally {
    for (const client of clients) client.close();
    await replica.close();
  }
}

/** `concurrency` workers take the execs one after the other. The result is a rate by the second. */
async function rateOf(
  execs: number,
  concurrency: number,
  once: () => Promise<unknown>,
  settled: () => Promise<void> = async () => undefined,
): Promise<number> {
  let left = execs;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await once();
    }
  };
  const begunAt = performance.now();
  await Promise.all(Array.from({ length: concurrency }, worker));
  await settled();
  return (execs / (performance.now() - begunAt)) * 1_000;
}

async function sandboxOf(instance: RunningInstance): Promise<string> {
  const client = await BerthClient.open(instance);
  try {
    return await client.runningSandbox(OWNER);
  } finally {
    client.close();
  }
}

/** The runs that have not closed yet, as Temporal's own visibility counts them. */
class OpenRuns {
  private constructor(
    private readonly connection: Connection,
    private readonly client: Client,
  ) {}

  static async connect({ pids }: RunningInstance): Promise<OpenRuns> {
    const { TEMPORAL_ADDRESS: address = '', TEMPORAL_NAMESPACE: namespace = 'default' } = environmentOf(
      pids.api,
    );
    const connection = await Connection.connect({ address });
    return new OpenRuns(connection, new Client({ connection, namespace }));
  }

  async untilNone(sandboxId: string): Promise<void> {
    const giveUpAt = performance.now() + CLOSED_WITHIN_MS;
    const query = `WorkflowType = 'exec' AND SandboxId = '${sandboxId}' AND ExecutionStatus = 'Running'`;
    for (;;) {
      const { count } = await this.client.workflow.count(query);
      if (count === 0) return;
      if (performance.now() > giveUpAt) throw new Error(`${count} runs of execs have not closed.`);
      await delay(LOOK_AGAIN_MS);
    }
  }

  async close(): Promise<void> {
    await this.connection.close();
  }
}
