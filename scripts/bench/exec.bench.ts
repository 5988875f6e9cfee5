import { ApiReplica } from './api-replica.js';
import { BerthClient } from './berth-client.js';
import { RawDocker } from './raw-docker.js';
import type { RunningInstance } from './running-instance.js';
import { ratioOf, summaryOf, type Summary } from './statistics.js';

/** The first calls compile code, open connections and fill caches; nobody waits for them twice. */
const WARM_UP_ROUNDS = 10;
const OWNER = 'bench';

/** The two values of BERTH_EXEC_WORKFLOW that are compared. */
export const EXEC_WORKFLOW_SETTINGS = ['always', 'afterSeconds:1'] as const;
export type ExecWorkflowSetting = (typeof EXEC_WORKFLOW_SETTINGS)[number];

export interface ExecReport {
  readonly raw: Summary;
  readonly settings: Readonly<Record<ExecWorkflowSetting, SettingReport>>;
}

export interface SettingReport {
  readonly accepted: Measured;
  readonly firstByte: Measured;
  readonly exit: Measured;
}

export type Measured = Summary & { readonly ratioToRaw: number };

type Durations = Record<keyof SettingReport, number[]>;

/** Round after round, one of each kind: whatever slows the machine down meets all of them alike. */
export async function benchExec(
  instance: RunningInstance,
  rounds: number,
  onProgress: (done: number, of: number) => void,
): Promise<ExecReport> {
  const replicas: ApiReplica[] = [];
  const clients: BerthClient[] = [];
  try {
    for (const setting of EXEC_WORKFLOW_SETTINGS) {
      const replica = await ApiReplica.start(instance, { BERTH_EXEC_WORKFLOW: setting });
      replicas.push(replica);
      clients.push(await BerthClient.open(replica.instance));
    }
    return await measure(instance, clients, rounds, onProgress);
  } finally {
    for (const client of clients) client.close();
    for (const replica of replicas) await replica.close();
  }
}

async function measure(
  instance: RunningInstance,
  clients: readonly BerthClient[],
  rounds: number,
  onProgress: (done: number, of: number) => void,
): Promise<ExecReport> {
  const [first] = clients;
  if (!first) throw new TypeError('There is nothing to measure.');
  const sandboxId = await first.runningSandbox(OWNER);
  const raw = await RawDocker.open(instance.dockerHost, sandboxId);
  const rawDurations: number[] = [];
  const durations = clients.map((): Durations => ({ accepted: [], firstByte: [], exit: [] }));
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    const rawMs = await raw.measureTrue();
    if (round >= 0) rawDurations.push(rawMs);
    for (const [at, client] of clients.entries()) {
      const silent = await client.measure(sandboxId, ['true']);
      const talking = await client.measure(sandboxId, ['echo', 'x']);
      if (talking.firstByteMs === undefined) throw new Error('`echo x` ended without output.');
      if (round < 0) continue;
      durations[at]?.accepted.push(silent.acceptedMs);
      durations[at]?.exit.push(silent.endMs);
      durations[at]?.firstByte.push(talking.firstByteMs);
    }
    if (round >= 0) onProgress(round + 1, rounds);
  }
  return reportOf(rawDurations, durations);
}

function reportOf(rawDurations: number[], durations: readonly Durations[]): ExecReport {
  const raw = summaryOf(rawDurations);
  const measured = (values: number[] = []): Measured => {
    const summary = summaryOf(values);
    return { ...summary, ratioToRaw: ratioOf(summary, raw) };
  };
  const settingOf = (of: Durations | undefined): SettingReport => ({
    accepted: measured(of?.accepted),
    firstByte: measured(of?.firstByte),
    exit: measured(of?.exit),
  });
  return {
    raw,
    settings: { always: settingOf(durations[0]), 'afterSeconds:1': settingOf(durations[1]) },
  };
}
