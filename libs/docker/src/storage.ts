import {
  DomainError,
  parseSandboxId,
  parseWorkspaceId,
  type ContainerSpec,
  type SandboxId,
  type WorkspaceRef,
} from '#domain';
import type { EngineClient } from './engine-client.js';
import { statusOf } from './engine-errors.js';
import { LABEL, type Labels, type ResourceNames } from './names.js';

const WORKSPACE_KIND = 'workspace';
const NO_TALK_BETWEEN_CONTAINERS = { 'com.docker.network.bridge.enable_icc': 'false' };

/** The volumes of a sandbox and the network of the instance. Only a sandbox that is deleted loses its own. */
export class Storage {
  private creatingNetwork: Promise<void> | undefined;

  constructor(
    private readonly engine: EngineClient,
    private readonly names: ResourceNames,
  ) {}

  /** Throws `workspace_missing` where the workspace is gone and may not be made. */
  async ensureSandboxVolumes(spec: ContainerSpec): Promise<void> {
    if (spec.mayMakeWorkspace) await this.ensureWorkspace(spec, spec);
    else await this.requireWorkspace(spec);
    await this.ensureVolume(this.names.spool(spec.sandboxId), {
      ...labelsOf(spec, spec),
      [LABEL.kind]: 'spool',
    });
  }

  /** The name of the volume. */
  async ensureWorkspace(workspace: WorkspaceRef, owner: VolumeOwner): Promise<string> {
    const name = this.names.workspace(workspace);
    await this.ensureVolume(name, {
      ...labelsOf(workspace, owner),
      ...(workspace.workspaceId === null ? {} : { [LABEL.workspace]: workspace.workspaceId }),
      [LABEL.kind]: WORKSPACE_KIND,
    });
    return name;
  }

  /**
   * The name of the volume. One that the engine has made in passing, for a container that was to mount it, has not the labels
   * of one that was made on purpose: what was in it is gone.
   */
  async requireWorkspace(workspace: WorkspaceRef): Promise<string> {
    const name = this.names.workspace(workspace);
    const labels = await this.inspectVolume(name);
    if (labels === undefined || (this.names.owns(labels) && labels[LABEL.kind] === undefined)) {
      throw new DomainError('workspace_missing', 'The workspace of the sandbox is gone.', {
        detail: `The volume ${name} was there and is not any more.`,
      });
    }
    if (!isWorkspaceOf(labels, workspace.sandboxId, this.names)) throw foreign('volume', name);
    return name;
  }

  async removeWorkspace(workspace: WorkspaceRef): Promise<void> {
    const name = this.names.workspace(workspace);
    const labels = await this.inspectVolume(name);
    if (labels === undefined) return;
    if (!this.names.owns(labels) || labels[LABEL.sandbox] !== workspace.sandboxId)
      throw foreign('volume', name);
    await this.removeVolume(name);
  }

  /** By label, and proved by name. */
  async listWorkspaces(sandboxId?: SandboxId): Promise<WorkspaceRef[]> {
    const label = [`${LABEL.instance}=${this.names.instanceId}`, `${LABEL.kind}=${WORKSPACE_KIND}`];
    if (sandboxId !== undefined) label.push(`${LABEL.sandbox}=${sandboxId}`);
    const { Volumes } = await this.engine.call('list volumes', (abortSignal) =>
      this.engine.docker.listVolumes({ filters: JSON.stringify({ label }), abortSignal } as object),
    );
    // The engine says null where the types promise a list.
    return ((Volumes as typeof Volumes | null) ?? []).flatMap(({ Name, Labels }) => {
      const owner = parseSandboxId(Labels[LABEL.sandbox] ?? '');
      if (owner === undefined) return [];
      const workspaceId = parseWorkspaceId(Labels[LABEL.workspace] ?? '') ?? null;
      const workspace = { sandboxId: owner, workspaceId };
      return this.names.workspace(workspace) === Name ? [workspace] : [];
    });
  }

  /** Creating a volume that exists gives that volume, whoever made it: so its labels are looked at. */
  async ensureVolume(name: string, labels: Labels): Promise<void> {
    const expected: Record<string, string> = { ...labels, [LABEL.instance]: this.names.instanceId };
    const { docker } = this.engine;
    await this.engine.call('create a volume', (abortSignal) =>
      docker.createVolume({ Name: name, Driver: 'local', Labels: expected, abortSignal }),
    );
    const found = await this.inspectVolume(name);
    const isOurs = this.names.owns(found) && found?.[LABEL.sandbox] === expected[LABEL.sandbox];
    if (!isOurs) throw foreign('volume', name);
  }

  /** Those of one sandbox, by name and label. One that is not there is success; one that is used is not. */
  async removeSandboxVolumes(sandboxId: SandboxId): Promise<void> {
    const first = this.names.workspace({ sandboxId, workspaceId: null });
    const later = (await this.listWorkspaces(sandboxId)).map((workspace) => this.names.workspace(workspace));
    for (const name of new Set([first, ...later, this.names.spool(sandboxId)])) {
      const labels = await this.inspectVolume(name);
      if (labels === undefined) continue;
      if (!this.names.owns(labels) || labels[LABEL.sandbox] !== sandboxId) throw foreign('volume', name);
      await this.removeVolume(name);
    }
  }

  private async removeVolume(name: string): Promise<void> {
    try {
      await this.engine.call('remove a volume', (abortSignal) =>
        this.engine.docker.getVolume(name).remove({ abortSignal }),
      );
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
    }
  }

  async hasVolume(name: string): Promise<boolean> {
    return this.names.owns(await this.inspectVolume(name));
  }

  /** Throws `spool_corrupt` where the spool is gone: mounting it would make a new one, in which nothing ever ran. */
  async requireSpool(sandboxId: SandboxId): Promise<void> {
    const name = this.names.spool(sandboxId);
    const labels = await this.inspectVolume(name);
    if (labels === undefined) throw new DomainError('spool_corrupt', 'The spool of the sandbox is gone.');
    if (!this.names.owns(labels) || labels[LABEL.sandbox] !== sandboxId) throw foreign('volume', name);
  }

  async ensureNetwork(): Promise<void> {
    this.creatingNetwork ??= this.ensureNetworkOnce().finally(() => (this.creatingNetwork = undefined));
    await this.creatingNetwork;
  }

  private async ensureNetworkOnce(): Promise<void> {
    const { docker } = this.engine;
    const name = this.names.network;
    if ((await this.networksNamedOurs()).length > 0) return;
    try {
      await this.engine.call('create the network', (abortSignal) =>
        docker.createNetwork({
          Name: name,
          CheckDuplicate: true,
          Driver: 'bridge',
          Labels: { [LABEL.instance]: this.names.instanceId, [LABEL.kind]: 'network' },
          Options: NO_TALK_BETWEEN_CONTAINERS,
          abortSignal,
        }),
      );
    } catch (error) {
      if (statusOf(error) !== 409) throw error;
    }
    await this.removeDuplicateNetworks();
  }

  /** Two processes that create at the same moment may both succeed; then both keep the older one. */
  private async removeDuplicateNetworks(): Promise<void> {
    const [, ...duplicates] = await this.networksNamedOurs();
    for (const { Id } of duplicates) {
      try {
        await this.engine.call('remove a doubled network', () => this.engine.docker.getNetwork(Id).remove());
      } catch (error) {
        if (statusOf(error) !== 404) throw error;
      }
    }
  }

  /** Oldest first. Throws where the name is taken by something else. */
  private async networksNamedOurs(): Promise<readonly { readonly Id: string }[]> {
    const name = this.names.network;
    const listed = await this.engine.call('list networks', (abortSignal) =>
      this.engine.docker.listNetworks({ filters: { name: [name] }, abortSignal }),
    );
    // The engine's filter matches parts of a name.
    const named = listed.filter((network) => network.Name === name);
    if (named.some((network) => !this.names.owns(network.Labels))) throw foreign('network', name);
    return named.toSorted((a, b) => a.Created.localeCompare(b.Created) || a.Id.localeCompare(b.Id));
  }

  /** The labels of a volume; undefined where there is none. */
  private async inspectVolume(name: string): Promise<Labels | undefined> {
    try {
      const { Labels } = await this.engine.call('inspect a volume', (abortSignal) =>
        this.engine.docker.getVolume(name).inspect({ abortSignal }),
      );
      // The engine says null where the types promise an object.
      return (Labels as Labels | null) ?? {};
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }
}

type VolumeOwner = Pick<ContainerSpec, 'tenantId' | 'ownerId'>;

function labelsOf(
  { sandboxId }: Pick<WorkspaceRef, 'sandboxId'>,
  { tenantId, ownerId }: VolumeOwner,
): Labels {
  return { [LABEL.sandbox]: sandboxId, [LABEL.tenant]: tenantId, [LABEL.owner]: ownerId };
}

function isWorkspaceOf(labels: Labels, sandboxId: SandboxId, names: ResourceNames): boolean {
  return names.owns(labels) && labels[LABEL.sandbox] === sandboxId && labels[LABEL.kind] === WORKSPACE_KIND;
}

/** Something that bears our name and is not ours stays as it is, and people decide. */
export function foreign(kind: string, name: string): DomainError {
  return new DomainError('container_failed', `A ${kind} of another origin has the name that Berth needs.`, {
    detail: `The ${kind} ${name} has no label of this instance. Rename or remove it.`,
  });
}
