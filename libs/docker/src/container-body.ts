import type Docker from 'dockerode';
import type { ContainerSpec, SandboxId } from '#domain';
import { hostnameOf, LABEL, type Labels, type ResourceNames } from './names.js';

export const RUNNER_DIRECTORY = '/berth/bin';
export const RUNNER_PATH = `${RUNNER_DIRECTORY}/runner`;

export interface Program {
  readonly name: string;
  readonly mode: number;
}

/**
 * What every sandbox has of ours. `berth-git` is run by the user of the sandbox and handed secrets: whoever may not read
 * the file of a program may not look into its process either, from the first instruction on.
 */
export const PROGRAMS: readonly Program[] = [
  { name: 'runner', mode: 0o755 },
  { name: 'berth-git', mode: 0o711 },
  { name: 'berth-file', mode: 0o755 },
];
export const SPOOL_DIRECTORY = '/berth/spool';
export const WORKSPACE_DIRECTORY = '/workspace';
const EXEC_USER_WHERE_IMAGE_IS_ROOT = '1000';

/** What the runner needs to start commands as others, to end them, and to keep its spool; execs get none of it. */
const RUNNER_CAPABILITIES = ['SETUID', 'SETGID', 'KILL', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER'];
const NANO_PER_MILLI_CPU = 1_000_000;
/** Longer than the 8 s in which the runner ends its execs and writes their records. */
export const STOP_TIMEOUT_SECONDS = 10;

const SHORT_LIVED_MEMORY_BYTES = 256 * 1_024 * 1_024;
const SHORT_LIVED_PIDS_MAX = 64;

/** What the runner says about itself; output of commands never goes there. */
const LOGS = { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '1' } };

export interface ContainerSurroundings {
  readonly names: ResourceNames;
  readonly hostId: string;
  readonly imageUser: string;
  readonly runnerVolume: string;
  /** A container may not be given more processors than the machine has. */
  readonly cpus: number;
  readonly runtime: string | undefined;
}

/** The request that creates a sandbox's container: the whole of its hardening in one place. */
export function sandboxContainerBody(
  spec: ContainerSpec,
  { names, hostId, imageUser, runnerVolume, cpus, runtime }: ContainerSurroundings,
): Docker.ContainerCreateOptions {
  const { sandboxId, generation, tier } = spec;
  const labels = { [LABEL.instance]: names.instanceId, [LABEL.sandbox]: sandboxId };
  return {
    Image: spec.image,
    Hostname: hostnameOf(sandboxId),
    User: '0:0',
    WorkingDir: '/',
    Entrypoint: [RUNNER_PATH, 'init'],
    Cmd: [],
    Env: [
      `BERTH_EXEC_USER=${execUserOf(imageUser)}`,
      `BERTH_SANDBOX_ID=${sandboxId}`,
      `BERTH_GENERATION=${generation}`,
    ],
    Labels: sandboxLabels(names, hostId, spec),
    StopSignal: 'SIGTERM',
    StopTimeout: STOP_TIMEOUT_SECONDS,
    // An image's own check would be a `docker exec` every few seconds that nobody reads.
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      ...hardening(RUNNER_CAPABILITIES),
      PidsLimit: tier.pidsMax,
      Memory: tier.memoryBytes,
      MemorySwap: tier.memoryBytes,
      NanoCpus: Math.min(tier.milliCpus, cpus * 1_000) * NANO_PER_MILLI_CPU,
      NetworkMode: names.network,
      ReadonlyRootfs: false,
      Mounts: [
        volumeMount(names.workspace(spec), WORKSPACE_DIRECTORY, 'writable', labels),
        volumeMount(names.spool(sandboxId), SPOOL_DIRECTORY, 'writable', labels),
        volumeMount(runnerVolume, RUNNER_DIRECTORY, 'read-only', { [LABEL.instance]: names.instanceId }),
      ],
      ...(runtime === undefined ? {} : { Runtime: runtime }),
    },
  };
}

/** The request for a container that reads the spool of a dead one and can do nothing else. */
export function drainContainerBody(
  sandboxId: SandboxId,
  image: string,
  { names, runnerVolume }: Pick<ContainerSurroundings, 'names' | 'runnerVolume'>,
): Docker.ContainerCreateOptions {
  const labels = { [LABEL.instance]: names.instanceId, [LABEL.sandbox]: sandboxId };
  return shortLivedBody(image, {
    entrypoint: [RUNNER_PATH, 'drain', SPOOL_DIRECTORY],
    labels: { ...labels, [LABEL.drain]: '1' },
    // Root in a sandbox may have given its spool to anybody; reading it must still work.
    capabilities: ['DAC_OVERRIDE'],
    mounts: [
      volumeMount(names.spool(sandboxId), SPOOL_DIRECTORY, 'read-only', labels),
      volumeMount(runnerVolume, RUNNER_DIRECTORY, 'read-only', { [LABEL.instance]: names.instanceId }),
    ],
  });
}

/** What a container may that reads every file of a workspace, or makes them with their owners and modes. */
const ARCHIVE_CAPABILITIES = {
  write: ['DAC_OVERRIDE'],
  extract: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'],
} as const;

/** The request for a container that reads a workspace, or fills a new one, and can do nothing else. */
export function archiveContainerBody(
  sandboxId: SandboxId,
  task: keyof typeof ARCHIVE_CAPABILITIES,
  expected: unknown,
  {
    names,
    runnerVolume,
    image,
    volume,
  }: Pick<ContainerSurroundings, 'names' | 'runnerVolume'> & {
    readonly image: string;
    readonly volume: string;
  },
): Docker.ContainerCreateOptions {
  const labels = { [LABEL.instance]: names.instanceId, [LABEL.sandbox]: sandboxId };
  const access = task === 'write' ? 'read-only' : 'writable';
  return shortLivedBody(image, {
    entrypoint: [RUNNER_PATH, 'archive', task, WORKSPACE_DIRECTORY, JSON.stringify(expected)],
    labels: { ...labels, [LABEL.archive]: '1' },
    capabilities: [...ARCHIVE_CAPABILITIES[task]],
    mounts: [
      // What the image has there is no part of a snapshot.
      { ...volumeMount(volume, WORKSPACE_DIRECTORY, access, labels), VolumeOptions: NO_COPY },
      volumeMount(runnerVolume, RUNNER_DIRECTORY, 'read-only', { [LABEL.instance]: names.instanceId }),
    ],
  });
}

/** No network, nothing to write to but what is mounted so, and gone when nobody is attached to it any more. */
function shortLivedBody(
  image: string,
  {
    entrypoint,
    labels,
    capabilities,
    mounts,
  }: {
    readonly entrypoint: string[];
    readonly labels: Labels;
    readonly capabilities: string[];
    readonly mounts: Docker.MountSettings[];
  },
): Docker.ContainerCreateOptions {
  return {
    Image: image,
    User: '0:0',
    WorkingDir: '/',
    Entrypoint: entrypoint,
    Cmd: [],
    Labels: labels,
    Healthcheck: { Test: ['NONE'] },
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    OpenStdin: true,
    // When the worker dies its end of standard input closes, and the container with it.
    StdinOnce: true,
    Tty: false,
    HostConfig: {
      ...hardening(capabilities),
      LogConfig: { Type: 'none', Config: {} },
      AutoRemove: true,
      PidsLimit: SHORT_LIVED_PIDS_MAX,
      Memory: SHORT_LIVED_MEMORY_BYTES,
      MemorySwap: SHORT_LIVED_MEMORY_BYTES,
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      Mounts: mounts,
    },
  };
}

/** The user of the image, or 1000 where that is root in any of its spellings. */
export function execUserOf(imageUser: string): string {
  const [user = ''] = imageUser.split(':');
  return user === '' || user === 'root' || /^0+$/.test(user) ? EXEC_USER_WHERE_IMAGE_IS_ROOT : imageUser;
}

/** A workspace begins as what the image has there; nothing of an image may get into a spool or beside the runner. */
export function volumeMount(
  source: string,
  target: string,
  access: 'writable' | 'read-only',
  /** For a volume that a prune took a moment ago: the engine makes it anew, and it is still known as ours. */
  labels: Labels,
): Docker.MountSettings {
  return {
    Type: 'volume',
    Source: source,
    Target: target,
    ReadOnly: access === 'read-only',
    // The types demand a driver, too; without one the engine takes its own.
    VolumeOptions: { NoCopy: target !== WORKSPACE_DIRECTORY, Labels: labels } as VolumeOptions,
  };
}

type VolumeOptions = NonNullable<Docker.MountSettings['VolumeOptions']>;
const NO_COPY = { NoCopy: true } as VolumeOptions;

function sandboxLabels(names: ResourceNames, hostId: string, spec: ContainerSpec): Record<string, string> {
  return {
    [LABEL.instance]: names.instanceId,
    [LABEL.host]: hostId,
    [LABEL.sandbox]: spec.sandboxId,
    [LABEL.generation]: String(spec.generation),
    [LABEL.tenant]: spec.tenantId,
    [LABEL.owner]: spec.ownerId,
    [LABEL.operation]: spec.operationId,
  };
}

function hardening(capabilities: string[]): Docker.HostConfig {
  return {
    Privileged: false,
    CapDrop: ['ALL'],
    CapAdd: capabilities,
    SecurityOpt: ['no-new-privileges'],
    RestartPolicy: { Name: 'no' },
    LogConfig: LOGS,
    Init: false,
  };
}
