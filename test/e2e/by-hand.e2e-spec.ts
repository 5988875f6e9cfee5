import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import Docker from 'dockerode';
import { runningStack } from '../stack/running-stack.js';
import { call, run, sandboxOf } from './api-client.js';

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

async function until(holds: (sandbox: SandboxBody) => boolean): Promise<SandboxBody> {
  const giveUpAt = Date.now() + 90_000;
  for (;;) {
    const { body } = await call<SandboxBody>('GET', `/v1/sandboxes/${sandbox}`);
    if (holds(body)) return body;
    if (Date.now() > giveUpAt) throw new Error(`It did not come to hold: ${JSON.stringify(body)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

describe('a container that somebody', () => {
  it('removes is named as missing, and an exec brings the sandbox back', async () => {
    await (await container()).remove({ force: true });
    expect(await until(({ observedState }) => observedState === 'missing')).toMatchObject({
      failure: { code: 'container_missing' },
    });
    expect(await run(sandbox, { command: 'true' })).toMatchObject({ state: 'succeeded' });
    expect(await until(({ observedState }) => observedState === 'running')).toMatchObject({ generation: 2 });
  });

  it('pauses makes the sandbox degraded, and a restart brings it back', async () => {
    await (await container()).pause();
    expect(await until(({ observedState }) => observedState === 'degraded')).toMatchObject({
      failure: { code: 'container_failed' },
    });
    const { status } = await call('POST', `/v1/sandboxes/${sandbox}/restart?wait=60`);
    expect(status).toBe(202);
    expect(await until(({ observedState }) => observedState === 'running')).toMatchObject({ generation: 2 });
  });

  it('stops makes the sandbox stopped, and starts makes it run again', async () => {
    await (await container()).stop({ t: 5 });
    await until(({ observedState }) => observedState === 'stopped');
    await (await container()).start();
    expect(await until(({ observedState }) => observedState === 'running')).toMatchObject({ generation: 1 });
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
    while ((await containers())[0]?.Names[0] !== before?.Names[0]) {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(await containers()).toHaveLength(1);
    expect(await until(({ observedState }) => observedState === 'running')).toMatchObject({ generation: 1 });
    expect(await run(sandbox, { command: 'true' })).toMatchObject({ state: 'succeeded' });
  });
});
