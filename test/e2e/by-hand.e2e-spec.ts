import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import Docker from 'dockerode';
import { BASE_IMAGE } from '../../scripts/launcher/base-image.js';
import { runningStack } from '../stack/running-stack.js';
import { call, run, sandboxOf } from './api-client.js';
import { bulk, decided, itemsOf, untilBulk } from './bulk-client.js';
import { until } from './until.js';

jest.setTimeout(180_000);

interface SandboxBody {
  readonly observedState: string;
  readonly generation: number;
  readonly failure: { readonly code: string } | null;
}

let docker: Docker;
let sandbox: string;

beforeAll(() => {
  docker = new Docker({ socketPath: runningStack().dockerHost.replace(/^unix:\/\//, '') });
});
beforeEach(async () => {
  sandbox = await sandboxOf(`u-${randomUUID().slice(0, 8)}`);
});
afterEach(async () => {
  await call('DELETE', `/v1/sandboxes/${sandbox}?wait=60`);
  if ((await containers()).length > 0) throw new Error('A deleted sandbox has left a container behind.');
});

async function containers(): Promise<Docker.ContainerInfo[]> {
  return await docker.listContainers({ all: true, filters: { label: [`berth.sandbox=${sandbox}`] } });
}

async function container(): Promise<Docker.Container> {
  const [found] = await containers();
  if (found === undefined) throw new Error('The sandbox has no container.');
  return docker.getContainer(found.Id);
}

async function untilIt(holds: (sandbox: SandboxBody) => boolean): Promise<SandboxBody> {
  return await until(async () => (await call<SandboxBody>('GET', `/v1/sandboxes/${sandbox}`)).body, holds);
}

describe('a container that somebody', () => {
  it('removes is named as missing, and an exec brings the sandbox back', async () => {
    await (await container()).remove({ force: true });
    expect(await untilIt(({ observedState }) => observedState === 'missing')).toMatchObject({
      failure: { code: 'container_missing' },
    });
    expect(await run(sandbox, { command: 'true' })).toMatchObject({ state: 'succeeded' });
    expect(await untilIt(({ observedState }) => observedState === 'running')).toMatchObject({
      generation: 2,
    });
  });

  it('pauses makes the sandbox degraded, and a restart brings it back', async () => {
    await (await container()).pause();
    expect(await untilIt(({ observedState }) => observedState === 'degraded')).toMatchObject({
      failure: { code: 'container_failed' },
    });
    // The engine would let a write wait until somebody goes on with the container.
    expect(await call('PUT', `/v1/sandboxes/${sandbox}/files?path=x`)).toMatchObject({
      status: 409,
      body: { code: 'invalid_state' },
    });
    const { status } = await call('POST', `/v1/sandboxes/${sandbox}/restart?wait=60`);
    expect(status).toBe(202);
    expect(await untilIt(({ observedState }) => observedState === 'running')).toMatchObject({
      generation: 2,
    });
  });

  it('stops makes the sandbox stopped, and starts makes it run again', async () => {
    await (await container()).stop({ t: 5 });
    await untilIt(({ observedState }) => observedState === 'stopped');
    await (await container()).start();
    expect(await untilIt(({ observedState }) => observedState === 'running')).toMatchObject({
      generation: 1,
    });
    expect(await run(sandbox, { command: 'true' })).toMatchObject({ state: 'succeeded' });
  });

  it('renames is ended by a restart all the same, as it holds the same workspace', async () => {
    await (await container()).rename({ name: `by-hand-${randomUUID()}` });
    const { status, body } = await call<{ operation: { state: string } }>(
      'POST',
      `/v1/sandboxes/${sandbox}/restart?wait=60`,
    );
    expect([status, body.operation.state]).toEqual([202, 'succeeded']);
    const left = await containers();
    expect(left.map(({ Labels }) => Labels['berth.generation'])).toEqual(['2']);
  });

  it('renames gets its name back, and there is never a second one', async () => {
    const [before] = await containers();
    await (await container()).rename({ name: `by-hand-${randomUUID()}` });
    const after = await until(containers, ([found]) => found?.Names[0] === before?.Names[0]);
    expect(after).toHaveLength(1);
    expect(await untilIt(({ observedState }) => observedState === 'running')).toMatchObject({
      generation: 1,
    });
    expect(await run(sandbox, { command: 'true' })).toMatchObject({ state: 'succeeded' });
  });
});

/** Who has a container in the network is cut off, as by `docker network disconnect -f`, before it can be removed. */
async function removeNetworkOf(info: Docker.ContainerInfo | undefined): Promise<string> {
  const [name = ''] = Object.keys(info?.NetworkSettings.Networks ?? {});
  const network = docker.getNetwork(name);
  const { Containers } = (await network.inspect()) as { Containers: Record<string, unknown> };
  for (const id of Object.keys(Containers)) await network.disconnect({ Container: id, Force: true });
  await network.remove();
  return name;
}

describe('the network of the sandboxes, when somebody', () => {
  it('removes it, is made again, and what runs is in it again', async () => {
    const name = await removeNetworkOf((await containers())[0]);
    const isIn = async () => name in ((await containers())[0]?.NetworkSettings.Networks ?? {});
    await until(isIn, (isThere) => isThere);
    expect(await run(sandbox, { command: 'grep eth /proc/net/dev' })).toMatchObject({ exitCode: 0 });
    expect(await untilIt(({ observedState }) => observedState === 'running')).toMatchObject({
      observedState: 'running',
      generation: 1,
      failure: null,
    });
  });
});

describe('an image that somebody', () => {
  it('deletes parks the next start, which goes on when it is there again', async () => {
    const [repo, tag] = [`by-hand/${randomUUID()}`, '1'];
    const image = `${repo}:${tag}`;
    await docker.getImage(BASE_IMAGE).tag({ repo, tag });
    const changed = await call<{ operation: { state: string } }>(
      'POST',
      `/v1/sandboxes/${sandbox}/change?wait=60`,
      {
        body: { image },
      },
    );
    expect(changed.body.operation.state).toBe('succeeded');
    await call('POST', `/v1/sandboxes/${sandbox}/stop?wait=60`);
    await docker.getImage(image).remove();
    const start = await call<{ operation: { id: string } }>('POST', `/v1/sandboxes/${sandbox}/start?wait=60`);
    expect(start.body.operation).toMatchObject({
      state: 'parked',
      park: { step: 'prepare_storage', parkNo: 1, failure: { code: 'image_missing' } },
    });
    expect(await untilIt(({ observedState }) => observedState === 'stopped')).toBeDefined();
    await docker.getImage(BASE_IMAGE).tag({ repo, tag });
    const { id } = start.body.operation;
    await call('POST', `/v1/operations/${id}/retry`, { body: { step: 'prepare_storage', parkNo: 1 } });
    expect(await run(sandbox, { command: 'true' })).toMatchObject({ state: 'succeeded' });
    expect(await untilIt(({ observedState }) => observedState === 'running')).toMatchObject({
      generation: 3,
    });
    await docker.getImage(image).remove();
  });
});

describe('everything unused, when somebody', () => {
  it('prunes it in the middle of a bulk restart, is made again or missed by name, and a retry ends the rest', async () => {
    const fleet = [sandbox, ...(await Promise.all([1, 2].map((n) => sandboxOf(`u-${n}-${randomUUID()}`))))];
    const { id } = await bulk({ action: 'restart', sandboxIds: fleet });
    const pruned = await pruneUntil(async () => hasStopped(await stateOf(id)));
    expect(pruned).toBeGreaterThan(0);
    const after = await decided(id);
    expect(after.counts.succeeded + after.counts.failed).toBe(fleet.length);
    for (const item of await itemsOf(id, 'failed')) {
      expect(item).toMatchObject({
        failure: { code: expect.stringMatching(/_missing$|^container_failed$/) as unknown },
      });
    }
    if (after.counts.failed > 0)
      await call('POST', `/v1/bulk-operations/${id}/retry-failed`, { body: { round: after.round } });
    await untilBulk(id, ({ counts }) => counts.succeeded === fleet.length);
    for (const one of fleet) expect(await run(one, { command: 'true' })).toMatchObject({ exitCode: 0 });
  });
});

const hasStopped = (state: string): boolean => ['paused', 'succeeded', 'failed', 'canceled'].includes(state);

async function stateOf(id: string): Promise<string> {
  return (await call<{ state: string }>('GET', `/v1/bulk-operations/${id}`)).body.state;
}

/**
 * As `docker system prune` again and again: what is between its creation and its start is as unused as any other. Images are
 * left alone, which other tests are about to use.
 */
async function pruneUntil(isOver: () => Promise<boolean>): Promise<number> {
  for (let times = 0; ; times += 1) {
    if (await isOver()) return times;
    await docker.pruneContainers();
    await docker.pruneNetworks();
  }
}
