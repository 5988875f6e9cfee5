import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { jest } from '@jest/globals';
import { BASE_IMAGE } from '../../../scripts/launcher/base-image.js';
import {
  ensureShellLessImages,
  SHELL_LESS_IMAGE,
  SHELL_LESS_USER,
  SHELL_LESS_USER_IMAGE,
} from '../../../test/stack/images.js';
import { runningStack } from '../../../test/stack/running-stack.js';
import type { ContainerSpec, ContainerView } from '#domain';
import type { DockerEngine } from './docker-engine.js';
import { followToEnd, runCommand, TestingEngine } from './testing-engine.js';

const SET_UP_TIMEOUT_MS = 240_000;
const TEST_TIMEOUT_MS = 60_000;
jest.setTimeout(TEST_TIMEOUT_MS);

let testing: TestingEngine;
let engine: DockerEngine;

beforeAll(async () => {
  const { dockerHost } = runningStack();
  await ensureShellLessImages(dockerHost);
  testing = await TestingEngine.open(dockerHost, BASE_IMAGE);
  engine = testing.engine();
}, SET_UP_TIMEOUT_MS);
afterAll(async () => testing.close(), TEST_TIMEOUT_MS);

/** Every step twice, as an Activity whose answer was lost would take it. */
async function startTwice(spec: ContainerSpec): Promise<string> {
  for (let time = 1; time <= 2; time++) await engine.prepareStorage(spec);
  const { containerId } = await engine.createContainer(spec);
  expect(await engine.createContainer(spec)).toEqual({ containerId });
  for (let time = 1; time <= 2; time++) expect(await engine.startContainer(spec)).toEqual({ containerId });
  return containerId;
}

describe('a sandbox in the engine', () => {
  it('starts with every step taken twice, and runs commands', async () => {
    const spec = testing.spec(BASE_IMAGE);
    const containerId = await startTwice(spec);
    expect(await engine.inspect(spec)).toMatchObject({ containerId, state: 'running', exitCode: null });
    const connection = await engine.connect(spec);
    const { stdout } = await runCommand(connection, ['sh', '-c', 'id -u; pwd; touch x && echo written']);
    expect(stdout).toBe('1000\n/workspace\nwritten\n');
  });

  it('is hardened as it is seen from within', async () => {
    const spec = testing.spec(BASE_IMAGE);
    await startTwice(spec);
    const connection = await engine.connect(spec);
    const script =
      'grep -E "^(CapEff|CapPrm|CapBnd|NoNewPrivs)" /proc/self/status; touch /berth/bin/x; ls /berth/spool; env | grep BERTH';
    const { stdout } = await runCommand(connection, ['sh', '-c', script]);
    expect(stdout).toMatch(/CapPrm:\s+0+\n/);
    expect(stdout).toMatch(/CapEff:\s+0+\n/);
    expect(stdout).toMatch(/NoNewPrivs:\s+1\n/);
    expect(stdout).not.toContain('BERTH_');
    expect(stdout).not.toContain('execs');
  });

  it.each([
    [SHELL_LESS_IMAGE, '1000:1000'],
    [SHELL_LESS_USER_IMAGE, SHELL_LESS_USER],
  ])('needs no shell and keeps to the user of the image: %s', async (image, user) => {
    const spec = testing.spec(image);
    await startTwice(spec);
    const connection = await engine.connect(spec);
    expect(await runCommand(connection, ['/probe', 'id'])).toEqual({ stdout: `${user}\n`, exitCode: 0 });
  });

  it('keeps workspace and spool when a new generation takes over, and removes the old container', async () => {
    const spec = testing.spec(BASE_IMAGE);
    await startTwice(spec);
    await runCommand(await engine.connect(spec), ['sh', '-c', 'echo kept > /workspace/file']);
    const next = { ...spec, generation: 2 };
    await startTwice(next);
    expect(await engine.inspect(spec)).toMatchObject({ state: 'missing', containerId: null });
    const { stdout } = await runCommand(await engine.connect(next), ['cat', '/workspace/file']);
    expect(stdout).toBe('kept\n');
    await expect(engine.createContainer(spec)).rejects.toMatchObject({ code: 'generation_mismatch' });
  });

  it('is made anew when its tier was corrected before it was started, and never afterwards', async () => {
    const spec = testing.spec(SHELL_LESS_IMAGE);
    await engine.prepareStorage(spec);
    const { containerId } = await engine.createContainer(spec);
    const corrected = { ...spec, tier: { ...spec.tier, memoryBytes: 2 * spec.tier.memoryBytes } };
    const { containerId: another } = await engine.createContainer(corrected);
    expect(another).not.toBe(containerId);
    await engine.startContainer(corrected);
    expect(await engine.createContainer(spec)).toEqual({ containerId: another });
  });

  it('is made anew where the engine was killed in the middle of its start and refuses it for ever', async () => {
    const spec = testing.spec(SHELL_LESS_IMAGE);
    await engine.prepareStorage(spec);
    const { containerId } = await engine.createContainer(spec);
    const leftOver = bundleOf(containerId);
    await mkdir(leftOver, { recursive: true });
    try {
      const refused = testing.docker.getContainer(containerId).start();
      await expect(refused).rejects.toMatchObject({ message: expect.stringContaining('exists') });
      const { containerId: another } = await engine.startContainer(spec);
      expect(another).not.toBe(containerId);
      expect(await (await engine.connect(spec)).list()).toEqual([]);
    } finally {
      await rm(leftOver, { recursive: true, force: true });
    }
  });

  it('is made anew where a prune took it before its start', async () => {
    const spec = testing.spec(SHELL_LESS_IMAGE);
    await engine.prepareStorage(spec);
    const { containerId } = await engine.createContainer(spec);
    await testing.docker.getContainer(containerId).remove();
    const { containerId: another } = await engine.startContainer(spec);
    expect(await engine.inspect(spec)).toMatchObject({ containerId: another, state: 'running' });
  });

  it('is stopped and removed with every step taken twice, and leaves its storage to the last', async () => {
    const spec = testing.spec(BASE_IMAGE);
    await startTwice(spec);
    const connection = await engine.connect(spec);
    const execId = randomUUID();
    await connection.start({ execId, argv: ['sleep', '100'] });
    for (let time = 1; time <= 2; time++) await engine.stopContainer(spec);
    expect(await engine.inspect(spec)).toMatchObject({ state: 'exited' });
    expect(await followToEnd(await engine.drain(spec, spec.image), execId)).toMatchObject({ exitCode: null });
    for (let time = 1; time <= 2; time++) await engine.removeContainers(spec);
    expect(await engine.inspect(spec)).toMatchObject({ state: 'missing' });
    for (let time = 1; time <= 2; time++) await engine.removeStorage(spec.sandboxId);
    const filters = { label: [`berth.sandbox=${spec.sandboxId}`] };
    expect((await testing.docker.listVolumes({ filters })).Volumes ?? []).toEqual([]);
  });

  it('keeps a volume of its name that is not its own, or that somebody uses, when it is deleted', async () => {
    const spec = testing.spec(SHELL_LESS_IMAGE);
    const name = testing.names.workspace(spec);
    await testing.docker.createVolume({ Name: name });
    await expect(engine.removeStorage(spec.sandboxId)).rejects.toMatchObject({ code: 'container_failed' });
    await testing.docker.getVolume(name).remove();
    await startTwice(spec);
    await expect(engine.removeStorage(spec.sandboxId)).rejects.toMatchObject({ code: 'container_failed' });
    expect(await engine.inspect(spec)).toMatchObject({ state: 'running' });
  });

  it('is adopted by a process that has just started, with the same container', async () => {
    const spec = testing.spec(SHELL_LESS_IMAGE);
    const containerId = await startTwice(spec);
    const successor = testing.engine();
    expect(await successor.createContainer(spec)).toEqual({ containerId });
    expect((await successor.list()).find((view) => view.sandboxId === spec.sandboxId)).toMatchObject({
      containerId,
      state: 'running',
    });
    expect(await (await successor.connect(spec)).list()).toEqual([]);
  });

  it('is prepared by many processes at once, with one network and one volume for the runner', async () => {
    const engines = [testing.engine(), testing.engine(), testing.engine(), testing.engine()];
    await Promise.all(engines.map((one) => one.prepareStorage(testing.spec(SHELL_LESS_IMAGE))));
    const filters = { label: [`berth.instance=${testing.instanceId}`] };
    expect(await testing.docker.listNetworks({ filters })).toHaveLength(1);
    const { Volumes } = await testing.docker.listVolumes({
      filters: { label: ['berth.kind=runner', ...filters.label] },
    });
    expect(Volumes).toHaveLength(1);
    expect((await testing.containers()).filter(({ Names }) => Names[0]?.includes('filler'))).toEqual([]);
  });
});

describe('what is not ours', () => {
  it('keeps its name and its life when a container of ours would need it', async () => {
    const spec = testing.spec(SHELL_LESS_IMAGE);
    await engine.prepareStorage(spec);
    const name = testing.names.container(spec);
    const foreign = await testing.docker.createContainer({ name, Image: SHELL_LESS_IMAGE, Cmd: ['/probe'] });
    try {
      for (let time = 1; time <= 2; time++) {
        await expect(engine.createContainer(spec)).rejects.toMatchObject({ code: 'container_failed' });
      }
      expect((await foreign.inspect()).Name).toBe(`/${name}`);
      expect(await engine.inspect(spec)).toMatchObject({ state: 'missing' });
      await expect(engine.startContainer(spec)).rejects.toMatchObject({ code: 'container_failed' });
    } finally {
      await foreign.remove({ force: true });
    }
  });

  it('is not removed for its labels alone', async () => {
    const spec = testing.spec(SHELL_LESS_IMAGE, { generation: 5 });
    await engine.prepareStorage(spec);
    const labels = { 'berth.instance': testing.instanceId, 'berth.sandbox': spec.sandboxId };
    const pretender = await testing.docker.createContainer({
      Image: SHELL_LESS_IMAGE,
      Cmd: ['/probe'],
      Labels: { ...labels, 'berth.generation': '1' },
    });
    await engine.createContainer(spec);
    expect((await pretender.inspect()).State.Status).toBe('created');
    expect((await engine.list()).map((view) => view.containerId)).not.toContain(pretender.id);
  });

  it('keeps a volume that has the name of a workspace', async () => {
    const spec = testing.spec(SHELL_LESS_IMAGE);
    const name = testing.names.workspace(spec);
    await testing.docker.createVolume({ Name: name });
    try {
      await expect(engine.prepareStorage(spec)).rejects.toMatchObject({ code: 'container_failed' });
    } finally {
      await testing.docker.getVolume(name).remove();
    }
  });
});

describe('an image that is not there', () => {
  it('is missing where its name has no registry', async () => {
    const spec = testing.spec('berth/no-such-image:1');
    await expect(engine.prepareStorage(spec)).rejects.toMatchObject({ code: 'image_missing' });
    await expect(engine.createContainer(spec)).rejects.toMatchObject({ code: 'image_missing' });
  });

  it('is missing after a pull that nobody answers, and where its name is none', async () => {
    for (const image of ['localhost:1/a/b:1', 'NOT AN IMAGE']) {
      await expect(engine.prepareStorage(testing.spec(image))).rejects.toMatchObject({
        code: 'image_missing',
      });
    }
  });
});

describe('the spool of a dead sandbox', () => {
  async function deadSandbox(): Promise<{ spec: ContainerSpec; execId: string }> {
    const spec = testing.spec(SHELL_LESS_IMAGE);
    await startTwice(spec);
    const connection = await engine.connect(spec);
    const execId = randomUUID();
    await connection.start({ execId, argv: ['/probe', 'echo', 'before', 'the', 'end'] });
    await followToEnd(connection, execId);
    await testing.docker.getContainer(testing.names.container(spec)).kill();
    await connection.closed;
    return { spec, execId };
  }

  it('is read by one container for all, which is gone with its channel', async () => {
    const { spec, execId } = await deadSandbox();
    const successor = testing.engine();
    const views = await Promise.all([
      successor.drain(spec, spec.image),
      successor.drain(spec, 'berth/its-image-is-gone:1'),
    ]);
    for (const view of views) {
      expect(await followToEnd(view, execId)).toEqual({ stdout: 'before the end\n', exitCode: 0 });
      expect(await view.status(randomUUID())).toMatchObject({ state: 'unknown' });
      await expect(view.start({ execId: randomUUID(), argv: ['x'] })).rejects.toMatchObject({
        code: 'invalid_state',
      });
    }
    expect(await drainsOf(spec)).toHaveLength(1);
    await successor.close();
    await until(async () => (await drainsOf(spec)).length === 0);
  });

  it('falls back to the base image when the own one has been removed', async () => {
    const { spec, execId } = await deadSandbox();
    const view = await testing.engine().drain(spec, 'berth/its-image-is-gone:1');
    expect(await followToEnd(view, execId)).toMatchObject({ exitCode: 0 });
  });

  it('is corrupt, and not empty, when its volume is gone', async () => {
    const spec = testing.spec(SHELL_LESS_IMAGE);
    await expect(engine.drain(spec, spec.image)).rejects.toMatchObject({ code: 'spool_corrupt' });
  });

  async function drainsOf({ sandboxId }: ContainerSpec): Promise<unknown[]> {
    const containers = await testing.containers();
    return containers.filter(({ Names }) =>
      Names[0]?.startsWith(`/${testing.names.shortLived('drain', sandboxId, '')}`),
    );
  }
});

describe('the runner of a sandbox', () => {
  it('is reached over one channel, and again after a restart of the container', async () => {
    const spec = testing.spec(SHELL_LESS_IMAGE);
    await startTwice(spec);
    const [one, other] = await Promise.all([engine.connect(spec), engine.connect(spec)]);
    await one.close();
    expect(await other.list()).toEqual([]);
    await testing.docker.getContainer(testing.names.container(spec)).restart({ t: 5 });
    expect(await other.closed).toMatchObject({ code: 'runner_unreachable' });
    expect(await (await engine.connect(spec)).list()).toEqual([]);
  });

  it('asks the sandbox how it is, from within, and leaves nothing behind', async () => {
    const spec = testing.spec(BASE_IMAGE);
    await startTwice(spec);
    const times = { intervalSeconds: 30, timeoutSeconds: 20, failuresMax: 3, startSeconds: 60 };
    const ask = async (command: string, timeoutSeconds = times.timeoutSeconds) =>
      await engine.check(spec, { command: ['sh', '-c', command], http: null, ...times, timeoutSeconds });
    expect(await ask('test "$(id -u) $(pwd)" = "1000 /workspace"')).toEqual({ ok: true, detail: '' });
    expect(await ask('echo why; exit 3')).toEqual({ ok: false, detail: 'exit code 3. why' });
    const late = await ask('setsid sleep 300 & sleep 300', 1);
    expect(late).toMatchObject({ ok: false, detail: expect.stringContaining('did not end in time') });
    const { Processes } = await testing.docker.getContainer(testing.names.container(spec)).top();
    expect(JSON.stringify(Processes)).not.toContain('sleep');
    const http = { port: 8_080, path: '/' };
    expect(await engine.check(spec, { command: null, http, ...times })).toMatchObject({ ok: false });
  });

  it('is out of reach while the container does not run', async () => {
    const spec = testing.spec(SHELL_LESS_IMAGE);
    await expect(engine.connect(spec)).rejects.toMatchObject({ code: 'container_missing' });
    await engine.prepareStorage(spec);
    await engine.createContainer(spec);
    await expect(engine.connect(spec)).rejects.toMatchObject({ code: 'runner_unreachable' });
  });

  it('is put again into a volume that a prune has taken', async () => {
    const fresh = testing.engine({ instanceId: testing.besideInstanceId });
    const spec = testing.spec(SHELL_LESS_IMAGE);
    await fresh.prepareStorage(spec);
    await testing.removeRunnerVolume(testing.besideInstanceId);
    await fresh.prepareStorage(spec);
    await fresh.createContainer(spec);
    await fresh.startContainer(spec);
    expect(await (await fresh.connect(spec)).list()).toEqual([]);
  });
});

describe('the events of the engine', () => {
  it('tell what became of a container until nobody listens any more', async () => {
    const views: ContainerView[] = [];
    const listening = new AbortController();
    const spec = testing.spec(SHELL_LESS_IMAGE);
    const watching = engine.watch((view) => {
      if (view.sandboxId === spec.sandboxId) views.push(view);
    }, listening.signal);
    await startTwice(spec);
    const container = testing.docker.getContainer(testing.names.container(spec));
    await until(() => views.some((view) => view.state === 'running'));
    await container.kill();
    await until(() => views.some((view) => view.state === 'exited' && view.exitCode === 137));
    await container.remove();
    await until(() => views.at(-1)?.state === 'missing');
    listening.abort();
    await watching;
  });
});

describe('an engine that is not there', () => {
  it('is away, by name, for every call', async () => {
    const nowhere = testing.engine({ dockerHost: 'unix:///nonexistent/docker.sock' });
    const spec = testing.spec(SHELL_LESS_IMAGE);
    const calls = [
      nowhere.version(),
      nowhere.list(),
      nowhere.inspect(spec),
      nowhere.prepareStorage(spec),
      nowhere.createContainer(spec),
      nowhere.startContainer(spec),
      nowhere.connect(spec),
      nowhere.drain(spec, spec.image),
      nowhere.watch(() => undefined, new AbortController().signal),
    ];
    for (const call of calls) {
      await expect(call).rejects.toMatchObject({ code: 'dependency_unavailable', dependency: 'docker' });
    }
  });
});

/** Where the containerd of the test's engine keeps what belongs to a living container. */
function bundleOf(containerId: string): string {
  const own = join(dirname(runningStack().dockerHost.replace(/^unix:\/\//, '')), 'containerd-state');
  const state = existsSync(own) ? own : '/run/containerd';
  return join(state, 'io.containerd.runtime.v2.task/moby', containerId);
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + TEST_TIMEOUT_MS / 2;
  while (!(await holds())) {
    if (performance.now() > giveUpAt) throw new Error('It did not come to hold in time.');
    await new Promise((wake) => setTimeout(wake, 20));
  }
}
