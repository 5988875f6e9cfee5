import {
  DomainError,
  isDomainError,
  type CheckOutcome,
  type ArchiveSummary,
  type ContainerEngine,
  type ContainerSpec,
  type ContainerView,
  type HealthCheck,
  type HostId,
  type RunnerConnection,
  type SandboxId,
  type SandboxRef,
  type SurveyedContainer,
  type WorkspaceArchive,
  type WorkspaceRef,
} from '#domain';
import { Archives, type ArchiveSurroundings } from './archives.js';
import { ChannelPool } from './channel-pool.js';
import { openRunnerChannel } from './channel/index.js';
import { sandboxContainerBody } from './container-body.js';
import { ContainerEvents } from './container-events.js';
import { Containers } from './containers.js';
import { Drains } from './drains.js';
import { EngineClient } from './engine-client.js';
import { HealthChecks } from './health-checks.js';
import { statusOf } from './engine-errors.js';
import { Images } from './images.js';
import { ResourceNames } from './names.js';
import { RunnerVolume } from './runner-volume.js';
import { Storage } from './storage.js';

const CHANNEL_IDLE_MS = 60_000;
const DRAIN_IDLE_MS = 5_000;

export interface DockerEngineConfig {
  /** Keeps the things of several Berths in one engine apart. */
  readonly instanceId: string;
  readonly hostId: HostId;
  /** In the form of DOCKER_HOST. */
  readonly dockerHost: string;
  /** Holds runner-, berth-git- and berth-file-linux-amd64 and -linux-arm64. */
  readonly runnerDir: string;
  /** Reads the spool of a dead sandbox whose own image is gone. */
  readonly baseImage: string;
  /** Docker's name of another runtime: gVisor, Sysbox, Kata. */
  readonly runtime?: string;
  /** Pull images whose name has no registry, too. By default such a name is an image of this host or missing. */
  readonly pullUnqualifiedImages?: boolean;
}

export class DockerEngine implements ContainerEngine {
  private readonly names: ResourceNames;
  private readonly engine: EngineClient;
  private readonly images: Images;
  private readonly storage: Storage;
  private readonly runnerVolume: RunnerVolume;
  private readonly containers: Containers;
  private readonly events: ContainerEvents;
  private readonly drains: Drains;
  private readonly checks: HealthChecks;
  private readonly archives: Archives;
  private readonly channels = new ChannelPool(CHANNEL_IDLE_MS);
  private readonly drainChannels = new ChannelPool(DRAIN_IDLE_MS);

  constructor(private readonly config: DockerEngineConfig) {
    this.names = new ResourceNames(config.instanceId);
    this.engine = new EngineClient(config.dockerHost);
    this.images = new Images(this.engine, config.pullUnqualifiedImages ?? false);
    this.storage = new Storage(this.engine, this.names);
    this.runnerVolume = new RunnerVolume(this.engine, this.names, this.storage, config.runnerDir);
    this.containers = new Containers(this.engine, this.names);
    this.events = new ContainerEvents(this.engine, this.names, this.containers);
    this.drains = new Drains(this.engine, this.names);
    this.checks = new HealthChecks(this.engine);
    this.archives = new Archives(this.engine, this.names);
  }

  async prepareStorage(spec: ContainerSpec): Promise<void> {
    await this.images.ensure(spec.image);
    await this.storage.ensureNetwork();
    await this.storage.ensureSandboxVolumes(spec);
    await this.runnerVolume.ensure(spec.image);
  }

  async createContainer(spec: ContainerSpec): Promise<{ containerId: string }> {
    await this.containers.requireNewest(spec);
    const { user } = await this.images.find(spec.image);
    const { cpus } = await this.engine.readFacts();
    const body = sandboxContainerBody(spec, {
      names: this.names,
      hostId: this.config.hostId,
      imageUser: user,
      runnerVolume: await this.runnerVolume.ensure(spec.image),
      cpus,
      runtime: this.config.runtime,
    });
    if (spec.mayMakeWorkspace) await this.storage.ensureWorkspace(spec, spec);
    const containerId = await this.containers.createOrAdopt(spec, body);
    await this.requireSameWorkspace(spec);
    await this.containers.removeUpTo({ ...spec, generation: spec.generation - 1 });
    return { containerId };
  }

  async startContainer(spec: ContainerSpec): Promise<{ containerId: string }> {
    const found = await this.containers.find(spec);
    if (found !== undefined && (await this.hasStarted(found))) return { containerId: found };
    await this.containers.discard(spec);
    // A prune may have taken more than the container.
    await this.prepareStorage(spec);
    const made = await this.createContainer(spec);
    await this.containers.start(made.containerId);
    return made;
  }

  async stopContainer(sandbox: SandboxRef): Promise<void> {
    await this.containers.stop(sandbox);
  }

  async removeContainers(sandbox: SandboxRef): Promise<void> {
    await this.containers.removeUpTo(sandbox);
  }

  async removeStorage(sandboxId: SandboxId): Promise<void> {
    await this.drains.removeAll(sandboxId);
    await this.archives.removeAll(sandboxId);
    await this.storage.removeSandboxVolumes(sandboxId);
  }

  async readWorkspace(
    workspace: WorkspaceRef,
    image: string,
    signal: AbortSignal,
  ): Promise<WorkspaceArchive> {
    const volume = await this.storage.requireWorkspace(workspace);
    return await this.archives.read(workspace, await this.surroundings(image, volume), signal);
  }

  async unpackWorkspace(
    workspace: WorkspaceRef,
    spec: Pick<ContainerSpec, 'tenantId' | 'ownerId' | 'image'>,
    archive: { readonly bytes: AsyncIterable<Uint8Array>; readonly summary: ArchiveSummary },
    signal: AbortSignal,
  ): Promise<void> {
    const volume = await this.storage.ensureWorkspace(workspace, spec);
    await this.archives.unpack(workspace, await this.surroundings(spec.image, volume), archive, signal);
  }

  async listWorkspaces(): Promise<WorkspaceRef[]> {
    return await this.storage.listWorkspaces();
  }

  async removeWorkspaces(workspaces: readonly WorkspaceRef[]): Promise<number> {
    let removed = 0;
    for (const workspace of workspaces) {
      try {
        await this.storage.removeWorkspace(workspace);
        removed += 1;
      } catch (error) {
        // A container uses it still.
        if (statusOf(error) !== 409) throw error;
      }
    }
    return removed;
  }

  async inspect(sandbox: SandboxRef): Promise<ContainerView> {
    return await this.containers.view(sandbox);
  }

  async check(sandbox: SandboxRef, check: HealthCheck): Promise<CheckOutcome> {
    const { containerId, state } = await this.containers.view(sandbox);
    if (containerId === null) throw new DomainError('container_missing', 'The sandbox has no container.');
    if (state !== 'running') throw new DomainError('container_failed', `The container is ${state}.`);
    return await this.checks.ask(containerId, check);
  }

  /** The channel is shared, and kept while it is used: closing what this returns leaves it to the others. */
  async connect(sandbox: SandboxRef): Promise<RunnerConnection> {
    return await this.channels.lease(keyOf(sandbox), () => this.openChannel(sandbox));
  }

  /** One container reads for everybody who asks about the same sandbox at the same time. */
  async drain(sandbox: SandboxRef, image: string): Promise<RunnerConnection> {
    return await this.drainChannels.lease(keyOf(sandbox), async () => {
      await this.storage.requireSpool(sandbox.sandboxId);
      const present = await this.imageForReading(image);
      const runnerVolume = await this.runnerVolume.ensure(present);
      return await this.drains.open(sandbox.sandboxId, present, runnerVolume);
    });
  }

  async survey(): Promise<SurveyedContainer[]> {
    return await this.containers.survey();
  }

  async reclaimName(found: SurveyedContainer): Promise<boolean> {
    return await this.containers.reclaimName(found);
  }

  async reconnect(found: SurveyedContainer): Promise<void> {
    await this.storage.ensureNetwork();
    await this.containers.reconnect(found);
  }

  async list(): Promise<ContainerView[]> {
    return await this.containers.viewAll();
  }

  watch(listener: (view: ContainerView) => void, signal: AbortSignal): Promise<void> {
    const watching = this.events.watch(listener, signal);
    // A caller that looks at everything before it awaits the end must not be ended by an unhandled rejection.
    watching.catch(() => undefined);
    return watching;
  }

  async version(): Promise<string> {
    return await this.engine.version();
  }

  /** Closes every channel. Commands and containers go on. */
  async close(): Promise<void> {
    await Promise.all([this.channels.close(), this.drainChannels.close()]);
  }

  /** False where another container may do better. If an init of this one lives all the same, the next one takes the spool from it. */
  private async hasStarted(containerId: string): Promise<boolean> {
    try {
      await this.containers.start(containerId);
      return true;
    } catch (error) {
      if (isDomainError(error, 'container_failed') || isDomainError(error, 'container_missing')) return false;
      throw error;
    }
  }

  private async openChannel(sandbox: SandboxRef): Promise<RunnerConnection> {
    const { state, containerId } = await this.containers.view(sandbox);
    if (containerId === null) throw new DomainError('container_missing', 'The sandbox has no container.');
    if (state !== 'running') throw new DomainError('runner_unreachable', `The container is ${state}.`);
    try {
      return await openRunnerChannel(this.engine.docker.getContainer(containerId));
    } catch (error) {
      // A silent runner and an engine that cannot reach it are different things to whoever counts the silence.
      await this.containers.requireReach(containerId);
      throw error;
    }
  }

  /** A container for which the engine had to make the workspace anew must not come to life. */
  private async requireSameWorkspace(spec: ContainerSpec): Promise<void> {
    try {
      await this.storage.requireWorkspace(spec);
    } catch (error) {
      if (!isDomainError(error, 'workspace_missing')) throw error;
      await this.containers.removeUpTo(spec);
      await this.storage.removeWorkspace(spec);
      throw error;
    }
  }

  private async surroundings(image: string, volume: string): Promise<ArchiveSurroundings> {
    const present = await this.imageForReading(image);
    return { image: present, runnerVolume: await this.runnerVolume.ensure(present), volume };
  }

  private async imageForReading(image: string): Promise<string> {
    try {
      return (await this.images.find(image)).id;
    } catch (error) {
      if (!isDomainError(error, 'image_missing')) throw error;
      return (await this.images.find(this.config.baseImage)).id;
    }
  }
}

function keyOf({ sandboxId, generation }: SandboxRef): string {
  return `${sandboxId}:${generation}`;
}
