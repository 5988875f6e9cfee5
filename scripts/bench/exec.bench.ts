import { BerthClient } from './berth-client.js';
import { RawDocker } from './raw-docker.js';
import type { RunningInstance } from './running-instance.js';
import { ratioOf, summaryOf, type Summary } from './statistics.js';

/** The first calls compile code, open connections and fill caches; nobody waits for them twice. */
const WARM_UP_ROUNDS = 10;
const OWNER = 'bench';

export interface ExecReport {
  readonly raw: Summary;
  readonly accepted: Measured;
  readonly firstByte: Measured;
  readonly exit: Measured;
}

export type Measured = Summary & { readonly ratioToRaw: number };

/** Round after round, one of each kind: whatever slows the machine down meets all of them alike. */
export async function benchExec(
  instance: RunningInstance,
  rounds: number,
  onProgress: (done: number, of: number) => void,
): Promise<ExecReport> {
  const client = await BerthClient.open(instance);
  try {
    const sandboxId = await client.runningSandbox(OWNER);
    const raw = await RawDocker.open(instance.dockerHost, sandboxId);
    const durations = {
      raw: [] as number[],
      accepted: [] as number[],
      firstByte: [] as number[],
      exit: [] as number[],
    };
    for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
      const rawMs = await raw.measureTrue();
      const silent = await client.measure(sandboxId, ['true']);
      const talking = await client.measure(sandboxId, ['echo', 'x']);
      if (talking.firstByteMs === undefined) throw new Error('`echo x` ended without output.');
      if (round < 0) continue;
      durations.raw.push(rawMs);
      durations.accepted.push(silent.acceptedMs);
      durations.exit.push(silent.endMs);
      durations.firstByte.push(talking.firstByteMs);
      onProgress(round + 1, rounds);
    }
    return reportOf(durations);
  } finally {
    client.close();
  }
}

function reportOf(durations: Record<keyof ExecReport, number[]>): ExecReport {
  const raw = summaryOf(durations.raw);
  const measured = (values: number[]): Measured => {
    const summary = summaryOf(values);
    return { ...summary, ratioToRaw: ratioOf(summary, raw) };
  };
  return {
    raw,
    accepted: measured(durations.accepted),
    firstByte: measured(durations.firstByte),
    exit: measured(durations.exit),
  };
}
