import { randomUUID } from 'node:crypto';
import { describe, expect, it, jest } from '@jest/globals';
import { call, ended, insist, output, run, sandboxOf, startExec } from './api-client.js';
import { asRootInside } from './attacks/inside.js';
import { untilOutput } from './exec-waits.js';
import { killAndAwaitNew } from './processes.js';
import { until } from './until.js';

jest.setTimeout(150_000);

interface Run {
  readonly sandbox: { readonly observedState: string; readonly generation: number };
  readonly operation: {
    readonly id: string;
    readonly kind: string;
    readonly state: string;
    readonly steps: {
      name: string;
      state: string;
      attempts: number;
      startedAt: string;
      finishedAt: string;
    }[];
  };
}

const newSandbox = async (): Promise<string> => await sandboxOf(`u-${randomUUID().slice(0, 8)}`);

async function change(method: string, path: string, body?: object): Promise<Run> {
  const answer = await insist<Run>(method, `/v1/sandboxes/${path}`, body === undefined ? {} : { body });
  if (answer.status !== 202)
    throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

async function untilStep(id: string, step: string): Promise<void> {
  await until(
    async () => (await insist<Run['operation']>('GET', `/v1/operations/${id}`)).body.steps,
    (steps) => steps.some(({ name }) => name === step),
  );
}

/** Runs until `release` says so. */
const WAITING = 'echo begun; while [ ! -e /workspace/go ]; do sleep 0.05; done; echo finished';

/** By hand, as a sandbox whose queue is held takes no command. */
const release = async (sandbox: string): Promise<string> =>
  await asRootInside(sandbox, 'touch /workspace/go');

describe('a sandbox', () => {
  it('is restarted with its workspace, and what ran in it ends with a record and all of its output', async () => {
    const sandbox = await newSandbox();
    await run(sandbox, { command: 'echo kept > /workspace/file' });
    const command = 'trap "echo last words; exit 5" TERM; echo begun; while :; do sleep 0.05; done';
    const exec = await startExec(sandbox, { command });
    await untilOutput(exec.id, 'begun');
    const { operation, sandbox: after } = await change('POST', `${sandbox}/restart?wait=60`);
    expect(operation).toMatchObject({ kind: 'restart', state: 'succeeded' });
    expect(after).toMatchObject({ observedState: 'running', generation: 2 });
    for (const step of operation.steps) {
      expect(step).toMatchObject({ state: 'succeeded', attempts: 1 });
      expect(Date.parse(step.finishedAt)).toBeGreaterThanOrEqual(Date.parse(step.startedAt));
    }
    const gone = await ended(exec.id);
    expect(gone).toMatchObject({ state: 'failed', exitCode: 5, exitRecord: { reason: 'sandbox_stopped' } });
    expect((await output(exec.id)).toString()).toBe('begun\nlast words\n');
    expect(await run(sandbox, { command: 'grep kept /workspace/file' })).toMatchObject({ exitCode: 0 });
  });

  it('waits for what runs where that is asked for, and lets what came meanwhile run afterwards', async () => {
    const sandbox = await newSandbox();
    const running = await startExec(sandbox, { command: WAITING });
    await untilOutput(running.id, 'begun');
    const { operation } = await change('POST', `${sandbox}/restart`, { running: 'wait' });
    await untilStep(operation.id, 'await_execs');
    const waiting = await startExec(sandbox, { command: 'cat /workspace/go && hostname' });
    expect((await call('GET', `/v1/execs/${waiting.id}`)).body).toMatchObject({ state: 'queued' });
    await release(sandbox);
    for (const { id } of [running, waiting]) expect((await ended(id)).exitCode).toBe(0);
    expect((await output(running.id)).toString()).toBe('begun\nfinished\n');
    expect((await call('GET', `/v1/operations/${operation.id}?wait=30`)).body).toMatchObject({
      state: 'succeeded',
    });
  });

  it('is stopped, started and deleted; its execs and their output stay', async () => {
    const sandbox = await newSandbox();
    const exec = await run(sandbox, { command: 'echo to be read later' });
    expect((await change('POST', `${sandbox}/stop?wait=60`)).sandbox.observedState).toBe('stopped');
    expect((await change('POST', `${sandbox}/start?wait=60`)).sandbox.observedState).toBe('running');
    const last = await startExec(sandbox, { command: 'echo the last; exec sleep 100' });
    await untilOutput(last.id, 'the last');
    const { operation } = await change('DELETE', `${sandbox}?wait=60`);
    expect(operation).toMatchObject({ kind: 'delete', state: 'succeeded' });
    expect((await call('GET', `/v1/sandboxes/${sandbox}`)).body).toMatchObject({ observedState: 'deleted' });
    expect((await output(exec.id)).toString()).toBe('to be read later\n');
    expect((await output(last.id)).toString()).toBe('the last\n');
    expect(await ended(last.id)).toMatchObject({ state: 'failed', signal: 'SIGTERM' });
    const refused = await call('POST', `/v1/sandboxes/${sandbox}/execs`, { body: { command: 'true' } });
    expect([refused.status, refused.body['code']]).toEqual([410, 'sandbox_deleted']);
  });

  it('is restarted once by many who ask at once, while the worker is killed', async () => {
    const sandbox = await newSandbox();
    const running = await startExec(sandbox, { command: WAITING });
    await untilOutput(running.id, 'begun');
    // It waits until all have asked, however late the last of them is.
    const restart = async () =>
      (await change('POST', `${sandbox}/restart`, { running: 'wait' })).operation.id;
    const asked = new Set(await Promise.all(Array.from({ length: 10 }, restart)));
    expect(asked.size).toBe(1);
    const [id = ''] = asked;
    await untilStep(id, 'await_execs');
    await release(sandbox);
    await killAndAwaitNew('worker');
    const done = await insist<Run['operation']>('GET', `/v1/operations/${id}?wait=60`);
    expect(done.body).toMatchObject({ state: 'succeeded' });
    const { body } = await call('GET', `/v1/sandboxes/${sandbox}`);
    expect(body).toMatchObject({ observedState: 'running', generation: 2 });
    expect(await run(sandbox, { command: 'true' })).toMatchObject({ state: 'succeeded' });
  });
});
