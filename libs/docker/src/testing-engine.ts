import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import {
  decodeFrames,
  hostId,
  operationId,
  ownerId,
  sandboxId,
  tenantId,
  type ContainerSpec,
  type RunnerConnection,
} from '#domain';
import { buildRunner } from './channel/testing-container.js';
import { PROGRAMS } from './container-body.js';
import { DockerEngine, type DockerEngineConfig } from './docker-engine.js';
import { engineAddress } from './engine-address.js';
import { ResourceNames } from './names.js';

const MEBIBYTE = 1_024 ** 2;
const REMOVAL_ATTEMPTS_MAX = 40;

/** An instance of its own in a real engine, which leaves nothing behind. */
export class TestingEngine {
  readonly instanceId = `test-${randomBytes(8).toString('hex')}`;
  /** A second instance in the same engine, whose things a test may take away without hurting the others. */
  readonly besideInstanceId = `${this.instanceId}-beside`;
  readonly names = new ResourceNames(this.instanceId);
  readonly docker: Docker;
  private readonly engines: DockerEngine[] = [];

  private constructor(
    private readonly dockerHost: string,
    private readonly baseImage: string,
    readonly runnerDir: string,
  ) {
    this.docker = new Docker(engineAddress(dockerHost));
  }

  static async open(dockerHost: string, baseImage: string): Promise<TestingEngine> {
    const runnerDir = await mkdtemp(join(tmpdir(), 'berth-runner-'));
    for (const { name } of PROGRAMS) {
      const content = await buildRunner(name);
      for (const architecture of ['amd64', 'arm64']) {
        await writeFile(join(runnerDir, `${name}-linux-${architecture}`), content);
      }
    }
    return new TestingEngine(dockerHost, baseImage, runnerDir);
  }

  /** An adapter as a worker that has just started has it: nothing remembered, no channel open. */
  engine(changes: Partial<DockerEngineConfig> = {}): DockerEngine {
    const engine = new DockerEngine({
      instanceId: this.instanceId,
      hostId: hostId('test'),
      dockerHost: this.dockerHost,
      runnerDir: this.runnerDir,
      baseImage: this.baseImage,
      ...changes,
    });
    this.engines.push(engine);
    return engine;
  }

  spec(image: string, changes: Partial<ContainerSpec> = {}): ContainerSpec {
    return {
      sandboxId: sandboxId(randomUUID()),
      generation: 1,
      tenantId: tenantId('acme'),
      ownerId: ownerId('u1'),
      workspaceId: null,
      mayMakeWorkspace: true,
      hostId: hostId('test'),
      operationId: operationId(randomUUID()),
      image,
      tier: { memoryBytes: 256 * MEBIBYTE, milliCpus: 64_000, pidsMax: 128 },
      ...changes,
    };
  }

  async containers(): Promise<Docker.ContainerInfo[]> {
    const filters = { label: [`berth.instance=${this.instanceId}`] };
    return await this.docker.listContainers({ all: true, filters });
  }

  async removeRunnerVolume(instanceId: string): Promise<void> {
    const label = [`berth.instance=${instanceId}`, 'berth.kind=runner'];
    const { Volumes } = await this.docker.listVolumes({ filters: { label } });
    for (const { Name } of Volumes) await this.docker.getVolume(Name).remove();
  }

  async close(): Promise<void> {
    await Promise.all(this.engines.map((engine) => engine.close()));
    for (const instanceId of [this.instanceId, this.besideInstanceId]) await this.removeAll(instanceId);
    await rm(this.runnerDir, { recursive: true });
  }

  private async removeAll(instanceId: string): Promise<void> {
    const filters = { label: [`berth.instance=${instanceId}`] };
    for (const { Id } of await this.docker.listContainers({ all: true, filters })) {
      await this.untilDone(() => this.docker.getContainer(Id).remove({ force: true, v: true }));
    }
    const { Volumes } = await this.docker.listVolumes({ filters });
    for (const { Name } of Volumes) await this.untilDone(() => this.docker.getVolume(Name).remove());
    for (const { Id } of await this.docker.listNetworks({ filters })) {
      await this.untilDone(() => this.docker.getNetwork(Id).remove());
    }
  }

  /** What has just ended by itself may hold a volume or its own name for a moment. */
  private async untilDone(remove: () => Promise<unknown>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await remove();
        return;
      } catch (error) {
        if (typeof error === 'object' && error !== null && 'statusCode' in error && error.statusCode === 404)
          return;
        if (attempt === REMOVAL_ATTEMPTS_MAX) throw error;
        await new Promise((wake) => setTimeout(wake, 50));
      }
    }
  }
}

export interface Outcome {
  readonly stdout: string;
  readonly exitCode: number | null;
}

/** Runs a command through a runner and waits for its end. */
export async function runCommand(connection: RunnerConnection, argv: string[]): Promise<Outcome> {
  const execId = randomUUID();
  await connection.start({ execId, argv });
  return await followToEnd(connection, execId);
}

export async function followToEnd(connection: RunnerConnection, execId: string): Promise<Outcome> {
  let stdout = '';
  for await (const event of connection.follow(execId, 0, new AbortController().signal)) {
    if (event.kind === 'lost') throw new Error(`Lost: ${event.reason}`);
    if (event.kind === 'end') return { stdout, exitCode: event.exitRecord.exitCode };
    for (const { payload } of decodeFrames(event.bytes).frames) stdout += Buffer.from(payload).toString();
  }
  throw new Error('The follow ended without an end.');
}
