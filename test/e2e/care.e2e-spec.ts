import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Database } from '#postgres';
import { runningStack } from '../stack/running-stack.js';
import { call, run } from './api-client.js';
import { killContainer } from './attacks/inside.js';
import { until } from './until.js';

jest.setTimeout(240_000);
const GIVE_UP_MS = 150_000;

interface SandboxBody {
  readonly id: string;
  readonly observedState: string;
  readonly desiredState: string;
  readonly generation: number;
  readonly restarts: readonly string[];
  readonly health: { readonly status: string };
}

interface OperationBody {
  readonly id: string;
  readonly kind: string;
  readonly steps: readonly { readonly name: string }[];
  readonly state: string;
  readonly options: { readonly because?: string };
  readonly park: { readonly step: string; readonly parkNo: number; readonly check: string } | null;
}

let database: Database;

beforeAll(async () => {
  database = await Database.connect({
    url: runningStack().databaseUrl,
    applicationName: 'berth-test',
    onIdleError: () => undefined,
  });
});
afterAll(async () => await database.close());

async function sandboxWith(settings: object): Promise<string> {
  const body = { owner: `u-${randomUUID().slice(0, 8)}`, ...settings };
  const made = await call<{ sandbox: SandboxBody }>('POST', '/v1/sandboxes?wait=60', { body });
  return made.body.sandbox.id;
}

async function untilIt(id: string, holds: (sandbox: SandboxBody) => boolean): Promise<SandboxBody> {
  const look = async () => (await call<SandboxBody>('GET', `/v1/sandboxes/${id}`)).body;
  return await until(look, holds, GIVE_UP_MS);
}

async function newest(id: string): Promise<OperationBody | undefined> {
  const { body } = await call<{ items: OperationBody[] }>('GET', `/v1/operations?sandboxId=${id}`);
  return body.items[0];
}

/** The rows of a sandbox show what a step has done before its operation says that it has ended. */
async function newestIn(id: string, state: string): Promise<OperationBody> {
  const look = async () => await newest(id);
  return (await until(look, (operation) => operation?.state === state, GIVE_UP_MS)) as OperationBody;
}

/** It failed so often just now that one more time is too often. */
async function hasBeenRestarted(id: string, times: number): Promise<void> {
  const restarts = JSON.stringify(Array.from({ length: times }, () => new Date().toISOString()));
  await database.query(`UPDATE sandboxes SET restarts = $2 WHERE id = $1`, [id, restarts]);
}

describe('without anybody asking, a sandbox', () => {
  let failed: string;
  let exhausted: string;
  let unused: string;
  let unwanted: string;
  let ill: string;

  /** All at once, as what is waited for is mostly the next sweep. */
  beforeAll(async () => {
    const healthCheck = { command: ['test', '!', '-e', '/tmp/ill'], intervalSeconds: 2, failuresMax: 2 };
    [failed, exhausted, unused, unwanted, ill] = (await Promise.all([
      sandboxWith({}),
      sandboxWith({}),
      sandboxWith({ idleStopSeconds: 1 }),
      sandboxWith({ restartPolicy: 'never' }),
      sandboxWith({ healthCheck }),
    ])) as [string, string, string, string, string];
    await hasBeenRestarted(exhausted, 5);
    for (const id of [failed, exhausted, unwanted, ill])
      await untilIt(id, ({ observedState }) => observedState === 'running');
    for (const id of [failed, exhausted, unwanted]) await killContainer(id);
    await run(ill, { command: 'touch /tmp/ill' });
  });

  it('is started again when its container was killed, and that is counted', async () => {
    const sandbox = await untilIt(
      failed,
      ({ observedState, generation }) => observedState === 'running' && generation === 2,
    );
    expect(sandbox.restarts).toHaveLength(1);
    expect(await newest(failed)).toMatchObject({ kind: 'start', options: { because: 'failed' } });
  });

  it('is left to people when it was killed too often; a retry starts it and counts anew', async () => {
    const parked = await newestIn(exhausted, 'parked');
    expect(parked).toMatchObject({
      options: { because: 'failed' },
      park: { step: 'check_restarts', failure: { code: 'restarts_exhausted' } },
    });
    const { step, parkNo } = parked.park ?? {};
    await call('POST', `/v1/operations/${parked.id}/retry`, { body: { step, parkNo } });
    const sandbox = await untilIt(exhausted, ({ observedState }) => observedState === 'running');
    expect(sandbox.restarts).toEqual([]);
  });

  it('is stopped when nobody has used it, says why, and runs again for the next exec', async () => {
    const stopped = await untilIt(unused, ({ observedState }) => observedState === 'stopped');
    expect(stopped.desiredState).toBe('running');
    expect(await newestIn(unused, 'succeeded')).toMatchObject({
      kind: 'stop',
      options: { because: 'idle' },
    });
    expect(await run(unused, { command: 'true' })).toMatchObject({ state: 'succeeded' });
  });

  it('is restarted when its own check fails, and waits until it is well', async () => {
    const sandbox = await untilIt(
      ill,
      ({ observedState, generation }) => observedState === 'running' && generation === 2,
    );
    expect(sandbox.health).toMatchObject({ status: 'healthy', consecutiveFailures: 0, reason: null });
    const operation = await newestIn(ill, 'succeeded');
    expect(operation).toMatchObject({ kind: 'restart', options: { because: 'unhealthy' } });
    expect(operation.steps.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['check_restarts', 'hold_queue', 'await_health']),
    );
  });

  it('stays ended where its policy says so, until somebody needs it', async () => {
    const sandbox = await untilIt(unwanted, ({ observedState }) => observedState === 'stopped');
    expect(sandbox).toMatchObject({ restartDue: null, generation: 1 });
    expect(await run(unwanted, { command: 'true' })).toMatchObject({ state: 'succeeded' });
  });
});
