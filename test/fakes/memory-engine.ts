import { createHash } from 'node:crypto';
import {
  DomainError,
  type CheckOutcome,
  type ContainerEngine,
  type ContainerSpec,
  type ContainerView,
  type RunnerConnection,
  type RunnerExecStatus,
  type SandboxId,
  type SandboxRef,
  type SurveyedContainer,
  type ArchiveSummary,
  type WorkspaceId,
  type WorkspaceArchive,
  type WorkspaceRef,
} from '#domain';

type Container = ContainerSpec & { readonly id: string; state: ContainerView['state'] };
export type EngineCall =
  | 'prepareStorage'
  | 'createContainer'
  | 'startContainer'
  | 'connect'
  | 'check'
  | 'endForStop'
  | 'stopContainer'
  | 'removeContainers'
  | 'removeStorage'
  | 'readWorkspace'
  | 'unpackWorkspace'
  | 'removeWorkspaces';

/** Containers and volumes as names in memory. `failsNext` answers as an engine whose answer came too late: after the effect. */
export class MemoryEngine implements ContainerEngine {
  readonly containers = new Map<string, Container>();
  readonly volumes = new Set<SandboxId>();
  readonly workspaces = new Set<string>();
  /** Execs that run, and those that begin once somebody has asked about them. */
  readonly commands = new Set<string>();
  readonly beginning = new Set<string>();
  /** Every call that may change something, in order. */
  readonly calls: EngineCall[] = [];
  private readonly failing = new Set<EngineCall>();
  private readonly frozen = new Map<EngineCall, Promise<void>>();

  failsNext(call: EngineCall): void {
    this.failing.add(call);
  }

  /** The next such call stands still before it answers, until what is returned is called. */
  freezesNext(call: EngineCall): () => void {
    let thaw = (): void => undefined;
    this.frozen.set(call, new Promise((resolve) => (thaw = resolve)));
    return () => thaw();
  }

  async prepareStorage(spec: ContainerSpec): Promise<void> {
    this.volumes.add(spec.sandboxId);
    const name = workspaceName(spec);
    if (!spec.mayMakeWorkspace && !this.workspaces.has(name))
      throw new DomainError('workspace_missing', 'The workspace is gone.');
    this.workspaces.add(name);
    await this.answer('prepareStorage');
  }

  async createContainer(spec: ContainerSpec): Promise<{ containerId: string }> {
    const name = nameOf(spec);
    const container = this.containers.get(name) ?? { ...spec, id: `id-of-${name}`, state: 'created' };
    this.containers.set(name, container);
    this.removeUpTo({ ...spec, generation: spec.generation - 1 });
    await this.answer('createContainer');
    return { containerId: container.id };
  }

  async startContainer(spec: ContainerSpec): Promise<{ containerId: string }> {
    const name = nameOf(spec);
    const container = this.containers.get(name) ?? { ...spec, id: `id-of-${name}`, state: 'created' };
    this.containers.set(name, container);
    container.state = 'running';
    await this.answer('startContainer');
    return { containerId: container.id };
  }

  async stopContainer(ref: SandboxRef): Promise<void> {
    const container = this.containers.get(nameOf(ref));
    if (container && container.state !== 'created') container.state = 'exited';
    await this.answer('stopContainer');
  }

  async removeContainers(ref: SandboxRef): Promise<void> {
    this.removeUpTo(ref);
    await this.answer('removeContainers');
  }

  async removeStorage(sandboxId: SandboxId): Promise<void> {
    this.volumes.delete(sandboxId);
    for (const name of this.workspaces) if (name.startsWith(sandboxId)) this.workspaces.delete(name);
    await this.answer('removeStorage');
  }

  async readWorkspace(workspace: WorkspaceRef): Promise<WorkspaceArchive> {
    if (!this.workspaces.has(workspaceName(workspace)))
      throw new DomainError('workspace_missing', 'The workspace is gone.');
    await this.answer('readWorkspace');
    return { bytes: onePiece(), summary: () => ARCHIVE };
  }

  async unpackWorkspace(
    workspace: WorkspaceRef,
    _spec: unknown,
    archive: { readonly bytes: AsyncIterable<Uint8Array> },
  ): Promise<void> {
    for await (const _piece of archive.bytes) this.workspaces.add(workspaceName(workspace));
    await this.answer('unpackWorkspace');
  }

  async listWorkspaces(): Promise<WorkspaceRef[]> {
    const all = [...this.workspaces].map((name) => {
      const [sandboxId = '', workspaceId = ''] = name.split(':');
      return { sandboxId: sandboxId as SandboxId, workspaceId: (workspaceId || null) as WorkspaceId | null };
    });
    return await Promise.resolve(all);
  }

  async removeWorkspaces(workspaces: readonly WorkspaceRef[]): Promise<number> {
    const gone = workspaces.filter((workspace) => this.workspaces.delete(workspaceName(workspace)));
    await this.answer('removeWorkspaces');
    return gone.length;
  }

  async inspect({ sandboxId, generation }: SandboxRef): Promise<ContainerView> {
    const container = this.containers.get(nameOf({ sandboxId, generation }));
    return await Promise.resolve({
      sandboxId,
      generation,
      containerId: container?.id ?? null,
      state: container?.state ?? 'missing',
      oomKilled: false,
      exitCode: container?.state === 'exited' ? 0 : null,
      startedAt: null,
    });
  }

  /** What checks say, the last one for ever. */
  outcomes: CheckOutcome[] = [{ ok: true, detail: '' }];

  async check(ref: SandboxRef): Promise<CheckOutcome> {
    const { state } = await this.inspect(ref);
    if (state !== 'running') throw new DomainError('container_failed', `The container is ${state}.`);
    await this.answer('check');
    const [outcome = { ok: true, detail: '' }, ...rest] = this.outcomes;
    if (rest.length > 0) this.outcomes = rest;
    return outcome;
  }

  async connect(ref: SandboxRef): Promise<RunnerConnection> {
    const { state } = await this.inspect(ref);
    if (state !== 'running') throw new DomainError('runner_unreachable', `The container is ${state}.`);
    await this.answer('connect');
    const connection: Partial<RunnerConnection> = {
      list: async () => await Promise.resolve([]),
      status: async (execId) => await Promise.resolve(this.statusOf(execId)),
      endForStop: async (execId) => {
        this.commands.delete(execId);
        await this.answer('endForStop');
        return { state: 'finished', descendantsKilled: 0, hadToKill: false };
      },
    };
    return connection as RunnerConnection;
  }

  async drain(): Promise<RunnerConnection> {
    return await Promise.reject(new DomainError('spool_corrupt', 'There are no spools in memory.'));
  }

  async survey(): Promise<SurveyedContainer[]> {
    const found = [...this.containers.entries()].map(([name, { sandboxId, generation, id, state }]) => {
      const isNamedOurs = name === nameOf({ sandboxId, generation });
      return {
        sandboxId,
        generation,
        containerId: id,
        name,
        isNamedOurs,
        isConnected: true,
        state: state as 'running',
      };
    });
    return await Promise.resolve(found);
  }

  async reclaimName(found: SurveyedContainer): Promise<boolean> {
    const container = this.containers.get(found.name);
    if (!container || this.containers.has(nameOf(found))) return await Promise.resolve(false);
    this.rename(found.name, nameOf(found));
    return true;
  }

  async reconnect(): Promise<void> {
    return await Promise.reject(new DomainError('container_failed', 'There are no networks in memory.'));
  }

  /** By somebody's hand. */
  rename(from: string, to: string): void {
    const container = this.containers.get(from);
    if (container) this.containers.set(to, container);
    this.containers.delete(from);
  }

  async list(): Promise<ContainerView[]> {
    return await Promise.all([...this.containers.values()].map((container) => this.inspect(container)));
  }

  async watch(_listener: (view: ContainerView) => void, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  async version(): Promise<string> {
    return await Promise.resolve('memory');
  }

  private statusOf(execId: string): RunnerExecStatus {
    const positions = { firstPosition: 0, endPosition: 0 };
    if (this.beginning.delete(execId)) {
      this.commands.add(execId);
      return { execId, state: 'unknown', ...positions };
    }
    return { execId, state: this.commands.has(execId) ? 'running' : 'finished', ...positions };
  }

  private removeUpTo({ sandboxId, generation }: SandboxRef): void {
    for (const [name, container] of this.containers) {
      if (container.sandboxId === sandboxId && container.generation <= generation)
        this.containers.delete(name);
    }
  }

  private async answer(call: EngineCall): Promise<void> {
    const thawed = this.frozen.get(call);
    this.frozen.delete(call);
    await thawed;
    this.calls.push(call);
    if (this.failing.delete(call)) throw new DomainError('container_failed', `The engine failed to ${call}.`);
  }
}

const CONTENT = new TextEncoder().encode('a workspace');
/** What every workspace in memory is as an archive. */
const ARCHIVE: ArchiveSummary = {
  formatVersion: 1,
  entries: 1,
  bytes: 0,
  streamBytes: CONTENT.byteLength,
  sha256: createHash('sha256').update(CONTENT).digest('hex'),
  changed: 0,
  skipped: 0,
};

async function* onePiece(): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(CONTENT);
}

const workspaceName = ({ sandboxId, workspaceId }: WorkspaceRef): string =>
  `${sandboxId}:${workspaceId ?? ''}`;

const nameOf = ({ sandboxId, generation }: SandboxRef): string => `${sandboxId}-g${generation}`;
