import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { SEAL_SCHEDULE_ID, SWEEP_SCHEDULE_ID } from '#workflows/contract';
import { runningStack } from '../stack/running-stack.js';
import { ended, insist, output, run, sandboxOf, startExec, type ExecBody } from './api-client.js';
import { asRootInside } from './attacks/inside.js';
import { startedExec } from './exec-waits.js';
import { MovedProcesses } from './moved-processes.js';
import { untilHealthy } from './outage.js';
import { until } from './until.js';

jest.setTimeout(300_000);

const HOUR_MS = 3_600_000;
/** Every limit that a test gives: none of them is over while it runs, and all of them would be in an hour. */
const LATER_SECONDS = 1_800;
/** Each has done something with the moved clock by then. */
const SCHEDULES = [SWEEP_SCHEDULE_ID, SEAL_SCHEDULE_ID];

interface OperationBody {
  readonly id: string;
  readonly state: string;
  readonly steps: readonly { readonly name: string }[];
}

let temporal: Connection;
let processes: MovedProcesses;
let held: string;
let free: string;
let running: ExecBody;
let queued: ExecBody;
let waiting: OperationBody;

async function get<Body>(path: string): Promise<Body> {
  return (await insist<Body>('GET', path)).body;
}

/** A command that runs, an operation that waits for it, and a command that waits for both, each with half an hour for it. */
beforeAll(async () => {
  temporal = await Connection.connect({ address: runningStack().temporalAddress });
  held = await sandboxOf(`clock-${randomUUID().slice(0, 8)}`);
  free = await sandboxOf(`clock-${randomUUID().slice(0, 8)}`);
  const times = { timeoutSeconds: LATER_SECONDS, idleTimeoutSeconds: LATER_SECONDS };
  const command = 'while [ ! -e /workspace/go ]; do sleep 0.1; done; exit 5';
  running = await startedExec(held, { command, ...times });
  const restart = await insist<{ operation: OperationBody }>('POST', `/v1/sandboxes/${held}/restart`, {
    body: { running: 'wait', waitSeconds: LATER_SECONDS },
  });
  waiting = restart.body.operation;
  // Before that its queue is not held yet.
  await until(
    async () => (await get<OperationBody>(`/v1/operations/${waiting.id}`)).steps,
    (steps) => steps.some(({ name }) => name === 'await_execs'),
  );
  queued = await startExec(held, { command: 'exit 6', queueTimeoutSeconds: LATER_SECONDS });
  processes = new MovedProcesses();
});
afterAll(async () => await temporal.close());

async function firings(scheduleId: string): Promise<number[]> {
  const schedule = new Client({ connection: temporal }).schedule.getHandle(scheduleId);
  const { info } = await schedule.describe();
  return info.recentActions.map(({ scheduledAt }) => scheduledAt.getTime());
}

/** A Schedule has fired since, and no time of it came twice. */
async function expectFiringsOnce(id: string): Promise<void> {
  const before = (await firings(id)).at(-1) ?? 0;
  // The second one begins when the first has done its work.
  const after = await until(
    async () => await firings(id),
    (seen) => seen.filter((at) => at > before).length >= 2,
  );
  expect(after).toEqual([...new Set(after)].toSorted((a, b) => a - b));
}

async function expectNothingHasChanged(): Promise<void> {
  const generations: unknown[] = [];
  for (const id of [held, free])
    generations.push((await get<{ generation: number }>(`/v1/sandboxes/${id}`)).generation);
  expect(generations).toEqual([1, 1]);
  expect(await get(`/v1/sandboxes/${free}`)).toMatchObject({ observedState: 'running' });
  expect(await get(`/v1/execs/${running.id}`)).toMatchObject({ state: 'running' });
  expect(await get(`/v1/execs/${queued.id}`)).toMatchObject({ state: 'queued' });
  expect(await get(`/v1/operations/${waiting.id}`)).toMatchObject({ state: 'running' });
}

describe('a clock of API and worker that is an hour', () => {
  afterAll(async () => await processes.stop());

  it.each([
    ['fast', HOUR_MS],
    ['slow', -HOUR_MS],
  ])(
    '%s ends nothing early, changes no state, and fires no Schedule again; work is done as ever',
    async (_how, movedMs) => {
      await processes.start(movedMs);
      await untilHealthy('docker');
      await untilHealthy('s3');
      const exec = await run(free, { command: 'echo works; exit 4', timeoutSeconds: 120 });
      expect(exec).toMatchObject({ state: 'failed', exitCode: 4 });
      expect((await output(exec.id)).toString()).toBe('works\n');
      await Promise.all(SCHEDULES.map(expectFiringsOnce));
      await expectNothingHasChanged();
    },
  );
});

describe('when the clock is right again', () => {
  it('everything ends as it should', async () => {
    await asRootInside(held, 'touch /workspace/go');
    expect(await ended(running.id)).toMatchObject({ state: 'failed', exitCode: 5 });
    expect(await ended(queued.id)).toMatchObject({ state: 'failed', exitCode: 6 });
    expect(await get(`/v1/operations/${waiting.id}?wait=60`)).toMatchObject({ state: 'succeeded' });
  });
});
