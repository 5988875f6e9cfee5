import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import Docker from 'dockerode';
import { runningStack } from '../stack/running-stack.js';
import { call, ended, output, run, sandboxOf } from './api-client.js';
import { berth } from './berth-cli.js';
import { startedExec, untilOutput } from './exec-waits.js';

jest.setTimeout(180_000);

interface Run {
  readonly sandbox: {
    readonly id: string;
    readonly observedState: string;
    readonly generation: number;
    readonly tier: string;
    readonly image: string;
  };
  readonly operation: {
    readonly id: string;
    readonly kind: string;
    readonly state: string;
    readonly result: Record<string, unknown> | null;
    readonly steps: readonly { name: string; state: string }[];
    readonly park: { step: string; parkNo: number; failure: { code: string } } | null;
  } | null;
}

let docker: Docker;
let sandbox: string;
const others: string[] = [];

beforeAll(async () => {
  docker = new Docker({ socketPath: runningStack().dockerHost.replace(/^unix:\/\//, '') });
  sandbox = await sandboxOf(`u-${randomUUID().slice(0, 8)}`);
});
afterAll(async () => {
  for (const id of [sandbox, ...others]) await call('DELETE', `/v1/sandboxes/${id}?wait=60`);
  const { Volumes } = await docker.listVolumes({
    filters: JSON.stringify({ label: [`berth.sandbox=${sandbox}`] }),
  });
  if (Volumes.length > 0) throw new Error('A deleted sandbox has left a volume behind.');
});

async function ask(path: string, body?: object, method = 'POST'): Promise<Run> {
  const answer = await call<Run>(method, `/v1/sandboxes/${path}`, body === undefined ? {} : { body });
  if (answer.status >= 300)
    throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

async function inside(id: string, command: string): Promise<string> {
  const exec = await run(id, { command });
  const text = (await output(exec.id)).toString();
  if (exec.state !== 'succeeded') throw new Error(`${command} is ${exec.state}: ${text}`);
  return text;
}

/** A decision is answered before the run has heard of it, so it may be parked still. */
async function endOf(id: string | undefined): Promise<string> {
  const giveUpAt = Date.now() + 60_000;
  for (;;) {
    const { body } = await call<{ state: string; finishedAt: string | null }>(
      'GET',
      `/v1/operations/${id}?wait=5`,
    );
    if (body.finishedAt !== null || Date.now() > giveUpAt) return body.state;
  }
}

async function snapshotOf(id: string): Promise<string> {
  const { operation } = await ask(`${id}/snapshot?wait=60`);
  expect(operation).toMatchObject({ kind: 'snapshot', state: 'succeeded' });
  return String(operation?.result?.['snapshotId']);
}

const TREE = `cd /workspace && mkdir -p a/b && echo content > a/file && ln a/file a/same && ln -s /etc/passwd out \
  && chmod 751 a/b && mkfifo pipe && head -c 20000000 /dev/urandom > large && touch -d @1000000000.5 a/file \
  && (python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('socket')" || true)`;
/** Everything that a snapshot keeps, on one line per entry. */
const LISTING = `cd /workspace && find . ! -type s -printf '%p %y %m %U:%G %T@ %n %l\\n' | sort && sha256sum large a/file`;

describe('a snapshot', () => {
  it('of a sandbox that runs disturbs nothing in it, and brings all of it back into the same and a new one', async () => {
    await inside(sandbox, TREE);
    const before = await inside(sandbox, LISTING);
    const running = await startedExec(sandbox, { command: 'exec sleep 1000' });
    const id = await snapshotOf(sandbox);
    const { body } = await call('GET', `/v1/snapshots/${id}`);
    expect(body).toMatchObject({
      state: 'ready',
      sandboxId: sandbox,
      summary: { bytes: 20_000_008, changed: 0 },
    });
    expect((await call('GET', `/v1/execs/${running.id}`)).body).toMatchObject({ state: 'running' });
    await inside(sandbox, 'cd /workspace && rm -rf * && echo other > other');
    const restored = await ask(`${sandbox}/restore?wait=60`, { snapshotId: id });
    expect(restored).toMatchObject({
      operation: { kind: 'restore', state: 'succeeded', result: { snapshotId: id } },
      sandbox: { observedState: 'running', generation: 2 },
    });
    expect(await ended(running.id)).toMatchObject({ state: 'failed', signal: 'SIGTERM' });
    expect(await inside(sandbox, LISTING)).toBe(before);
    const made = await call<Run>('POST', '/v1/sandboxes?wait=60', {
      body: { owner: `u-${randomUUID().slice(0, 8)}`, snapshotId: id },
    });
    others.push(made.body.sandbox.id);
    expect(made.body.operation).toMatchObject({ kind: 'restore', state: 'succeeded' });
    expect(await inside(made.body.sandbox.id, LISTING)).toBe(before);
  });

  it('of a stopped sandbox leaves it stopped, and so does its restore; it is listed, and deleted by the command line', async () => {
    await ask(`${sandbox}/stop?wait=60`);
    const id = await snapshotOf(sandbox);
    const { sandbox: after } = await ask(`${sandbox}/restore?wait=60`, { snapshotId: id });
    expect(after).toMatchObject({ observedState: 'stopped' });
    const listed = JSON.parse((await berth('--json', 'snapshot', 'list', sandbox)).stdout.toString());
    expect(listed.items[0]).toMatchObject({ id, state: 'ready' });
    expect((await berth('snapshot', 'delete', id)).exitCode).toBe(0);
    expect((await call('GET', `/v1/snapshots/${id}`)).status).toBe(404);
    expect(
      (await call('POST', `/v1/sandboxes/${sandbox}/restore`, { body: { snapshotId: id } })).status,
    ).toBe(404);
    await ask(`${sandbox}/start?wait=60`);
    expect(await inside(sandbox, 'cat /workspace/a/file')).toBe('content\n');
  });

  it('is taken before a restart where the request says so, when what ran has written its last', async () => {
    const command = `trap 'echo whole > /workspace/last; exit 7' TERM; echo ready; while :; do sleep 0.1; done`;
    const running = await startedExec(sandbox, { command });
    await untilOutput(running.id, 'ready');
    const { operation } = await ask(`${sandbox}/restart?wait=60`, { snapshot: true });
    const id = operation?.id;
    expect(operation).toMatchObject({ state: 'succeeded', result: { snapshotId: id, changed: 0 } });
    expect(operation?.steps.slice(0, 4).map(({ name }) => name)).toEqual([
      'hold_queue',
      'end_execs',
      'write_snapshot',
      'stop_container',
    ]);
    expect(await ended(running.id)).toMatchObject({
      state: 'failed',
      exitCode: 7,
      exitRecord: { reason: 'sandbox_stopped' },
    });
    await inside(sandbox, 'rm /workspace/last');
    await ask(`${sandbox}/restore?wait=60`, { snapshotId: id });
    expect(await inside(sandbox, 'cat /workspace/last')).toBe('whole\n');
  });
});

describe('a change', () => {
  it('of the tier is a restart with the new one, and nothing where it is so already', async () => {
    const { sandbox: after, operation } = await ask(`${sandbox}/change?wait=60`, { tier: 'small' });
    expect(operation).toMatchObject({ kind: 'change', state: 'succeeded' });
    expect(after).toMatchObject({ tier: 'small', observedState: 'running' });
    const again = await call('POST', `/v1/sandboxes/${sandbox}/change`, { body: { tier: 'small' } });
    expect([again.status, again.body['operation']]).toEqual([200, null]);
  });

  it('to an image that cannot be had parks while all goes on, and gives it up without a trace', async () => {
    const before = (await call<Run['sandbox']>('GET', `/v1/sandboxes/${sandbox}`)).body;
    const running = await startedExec(sandbox, { command: 'exec sleep 1000' });
    const { operation } = await ask(`${sandbox}/change?wait=60`, { image: 'berth/there-is-none:1' });
    expect(operation).toMatchObject({
      state: 'parked',
      park: { step: 'prepare_storage', failure: { code: 'image_missing' } },
    });
    expect((await call('GET', `/v1/execs/${running.id}`)).body).toMatchObject({ state: 'running' });
    const { step, parkNo } = operation?.park ?? {};
    await call('POST', `/v1/operations/${operation?.id}/abort`, { body: { step, parkNo } });
    expect(await endOf(operation?.id)).toBe('canceled');
    const after = (await call<Run['sandbox']>('GET', `/v1/sandboxes/${sandbox}`)).body;
    expect(after).toMatchObject({
      image: before.image,
      tier: before.tier,
      observedState: 'running',
      generation: before.generation,
    });
    expect((await call('GET', `/v1/execs/${running.id}`)).body).toMatchObject({ state: 'running' });
    await call('POST', `/v1/execs/${running.id}/cancel`);
    await ended(running.id);
  });
});

describe('a workspace that somebody removes', () => {
  it('parks the start, and is made again only on the word of a person', async () => {
    await ask(`${sandbox}/stop?wait=60`);
    const label = [`berth.sandbox=${sandbox}`];
    for (const { Id } of await docker.listContainers({ all: true, filters: { label } })) {
      await docker.getContainer(Id).remove({ force: true });
    }
    const { Volumes } = await docker.listVolumes({
      filters: JSON.stringify({ label: [...label, 'berth.kind=workspace'] }),
    });
    for (const { Name } of Volumes) await docker.getVolume(Name).remove();
    const { operation } = await ask(`${sandbox}/start?wait=60`);
    expect(operation).toMatchObject({
      state: 'parked',
      park: { step: 'prepare_storage', failure: { code: 'workspace_missing' } },
    });
    const retried = await berth('op', 'retry', String(operation?.id), '--empty-workspace');
    expect(retried.exitCode).toBe(0);
    expect(await endOf(operation?.id)).toBe('succeeded');
    expect(await inside(sandbox, 'ls -A /workspace | wc -l')).toBe('0\n');
  });
});
