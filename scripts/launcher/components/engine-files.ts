import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { observeProcess } from '../process-identity.js';
import { hasCode } from '../setup-problem.js';
import type { StateDirectory } from '../state-directory.js';

/** Where the Docker engine of this instance keeps its things. Sockets and run-time state may lie in a shorter directory. */
export interface EngineFiles {
  readonly home: string;
  readonly containerdConfig: string;
  readonly containerdRoot: string;
  readonly containerdState: string;
  readonly containerdSocket: string;
  readonly daemonConfig: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly pidFile: string;
  readonly socket: string;
  readonly toolPath: string;
}

export function engineFiles(state: StateDirectory): EngineFiles {
  const home = join(state.root, 'docker');
  const volatile = join(state.sockets, 'docker');
  return {
    home,
    containerdConfig: join(home, 'containerd.toml'),
    containerdRoot: join(home, 'containerd'),
    containerdState: join(volatile, 'containerd-state'),
    containerdSocket: join(volatile, 'containerd.sock'),
    daemonConfig: join(home, 'daemon.json'),
    dataRoot: join(home, 'data'),
    execRoot: join(volatile, 'exec'),
    pidFile: join(home, 'docker.pid'),
    socket: join(volatile, 'docker.sock'),
    toolPath: join(home, 'bin'),
  };
}

/** Writes the engine's configuration. What Docker keeps elsewhere in a directory that each boot empties is emptied here. */
export function writeEngineFiles(files: EngineFiles): void {
  mkdirSync(files.home, { recursive: true, mode: 0o711 });
  forgetEarlierBoot(files);
  mkdirSync(files.containerdState, { recursive: true, mode: 0o711 });
  writeFileSync(
    files.containerdConfig,
    [
      'version = 2',
      `root = ${JSON.stringify(files.containerdRoot)}`,
      `state = ${JSON.stringify(files.containerdState)}`,
      // Docker needs neither Kubernetes' interface nor the snapshotters that probe for other file systems.
      'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]',
      '[grpc]',
      `address = ${JSON.stringify(files.containerdSocket)}`,
      '[debug]',
      'level = "warn"',
      '',
    ].join('\n'),
  );
  // A file of our own, so that a daemon.json of the machine cannot contradict the flags.
  writeFileSync(
    files.daemonConfig,
    '{ "log-driver": "json-file", "log-opts": { "max-size": "1m", "max-file": "2" } }\n',
  );
}

/** A pidfile whose process is gone, or is another program by now, would keep the engine from starting. */
export function clearStalePidFile(path: string, program: string): void {
  const pid = readPid(path);
  if (pid === undefined) return;
  const observed = observeProcess(pid);
  const isLiving = observed !== undefined && observed.state !== 'Z' && observed.command.includes(program);
  if (!isLiving) rmSync(path, { force: true });
}

export function readPid(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, 'utf8').split('\n')[0]);
    return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function forgetEarlierBoot(files: EngineFiles): void {
  const bootIdFile = join(files.home, 'boot-id');
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  let earlier = '';
  try {
    earlier = readFileSync(bootIdFile, 'utf8').trim();
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  if (earlier === bootId) return;
  for (const path of [files.execRoot, files.containerdState, files.pidFile])
    rmSync(path, { recursive: true, force: true });
  writeFileSync(bootIdFile, `${bootId}\n`);
}
