import type { HostId, OperationId, OwnerId, SandboxId, TenantId, WorkspaceId } from '../ids.js';
import type { CheckOutcome, HealthCheck } from '../sandbox.health.js';
import type { ContainerLimits } from '../sandbox.js';
import type { ArchiveSummary } from '../snapshot/snapshot.js';
import type { RunnerConnection } from './runner.port.js';

/** What a container engine must do for a sandbox. Every call is safe to repeat; containers are found by name and proved by label. */
export interface ContainerEngine {
  /**
   * Volumes, network and the runner's volume. Throws `image_missing` when the image is not on the host and cannot be pulled,
   * and `workspace_missing` where the workspace is gone and may not be made.
   */
  prepareStorage(spec: ContainerSpec): Promise<void>;
  /**
   * Creates the container of this generation or adopts the one that is there; removes containers of older generations of this
   * sandbox. Throws `workspace_missing` as above.
   */
  createContainer(spec: ContainerSpec): Promise<{ containerId: string }>;
  /**
   * Starts the container of this generation. One that is gone, or that the engine refuses to start, for example because it
   * was killed in the middle of an earlier start, is made anew: it has run nothing that is not in the spool.
   */
  startContainer(spec: ContainerSpec): Promise<{ containerId: string }>;
  /** Ends the container: its runner ends what runs in it and writes the records first. One that is not there has ended. */
  stopContainer(sandbox: SandboxRef): Promise<void>;
  /** Ends and removes the containers of this sandbox up to this generation, by name and label. */
  removeContainers(sandbox: SandboxRef): Promise<void>;
  /** Deletes every workspace and the spool. Only what carries our name and our labels; throws while a container still uses them. */
  removeStorage(sandboxId: SandboxId): Promise<void>;
  /** The workspace as a tar stream, read by a short-lived container without network that can change nothing. Throws `workspace_missing`. */
  readWorkspace(workspace: WorkspaceRef, image: string, signal: AbortSignal): Promise<WorkspaceArchive>;
  /**
   * Makes a workspace out of a tar stream, by a short-lived container without network. Its id must never have been used: one
   * that holds anything is refused as it is. Throws `archive_refused`.
   */
  unpackWorkspace(
    workspace: WorkspaceRef,
    spec: Pick<ContainerSpec, 'tenantId' | 'ownerId' | 'image'>,
    archive: { readonly bytes: AsyncIterable<Uint8Array>; readonly summary: ArchiveSummary },
    signal: AbortSignal,
  ): Promise<void>;
  /** The workspaces on this host, of all sandboxes. */
  listWorkspaces(): Promise<WorkspaceRef[]>;
  /** Removes these, if they are ours; one that a container uses stays. Returns how many went. */
  removeWorkspaces(workspaces: readonly WorkspaceRef[]): Promise<number>;
  inspect(sandbox: SandboxRef): Promise<ContainerView>;
  /**
   * Asks a running sandbox once how it is, by its runner: nothing of the host is within its reach. Throws where it could not be
   * asked: `container_missing`, `container_failed`, `runner_protocol` of a runner that knows no checks.
   */
  check(sandbox: SandboxRef, check: HealthCheck): Promise<CheckOutcome>;
  /** A channel to the runner inside a running container. Throws `runner_unreachable`. */
  connect(sandbox: SandboxRef): Promise<RunnerConnection>;
  /** A read-only view of the spool of a container that is dead or gone, by a short-lived container without network. */
  drain(sandbox: SandboxRef, image: string): Promise<RunnerConnection>;
  /** Every container that carries our labels, whatever its name: in one call, also where there are thousands. */
  survey(): Promise<SurveyedContainer[]>;
  /** Gives a container its own name back. False where labels and mounts do not prove that it is ours, or the name is taken. */
  reclaimName(found: SurveyedContainer): Promise<boolean>;
  /** Gives a container back to the network of the instance, which is made where it is gone. */
  reconnect(found: SurveyedContainer): Promise<void>;
  /** Everything of ours on this host: for adoption and drift. */
  list(): Promise<ContainerView[]>;
  /** Calls `listener` on each start, death and removal of a container of ours, until `signal` aborts. Ends when the engine goes away. */
  watch(listener: (view: ContainerView) => void, signal: AbortSignal): Promise<void>;
  version(): Promise<string>;
}

export interface SandboxRef {
  readonly sandboxId: SandboxId;
  readonly generation: number;
}

export interface WorkspaceRef {
  readonly sandboxId: SandboxId;
  /** Null for the workspace that a sandbox begins with. */
  readonly workspaceId: WorkspaceId | null;
}

/** To be iterated once, to its end; then the summary says what came. */
export interface WorkspaceArchive {
  readonly bytes: AsyncIterable<Uint8Array>;
  summary(): ArchiveSummary;
}

export interface ContainerSpec extends SandboxRef {
  readonly tenantId: TenantId;
  readonly ownerId: OwnerId;
  readonly hostId: HostId;
  readonly operationId: OperationId;
  readonly image: string;
  readonly tier: ContainerLimits;
  readonly workspaceId: WorkspaceId | null;
  /** False for a workspace that was there once: if it is gone, that is for people to know. */
  readonly mayMakeWorkspace: boolean;
}

export interface SurveyedContainer extends SandboxRef {
  readonly containerId: string;
  readonly name: string;
  readonly isNamedOurs: boolean;
  /** Whether it is in the network of the instance. */
  readonly isConnected: boolean;
  readonly state: Exclude<ContainerView['state'], 'missing'>;
}

export interface ContainerView extends SandboxRef {
  readonly containerId: string | null;
  readonly state: 'running' | 'paused' | 'created' | 'exited' | 'restarting' | 'missing';
  readonly oomKilled: boolean;
  readonly exitCode: number | null;
  readonly startedAt: string | null;
}
