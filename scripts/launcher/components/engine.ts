import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { commandLine, type ComponentDescription } from '../component.js';
import { plainEnvironment, type LaunchContext } from '../context.js';
import { DEFAULT_DOCKER_HOST, engineVersion, pingEngine } from '../engine-client.js';
import { findExecutable } from '../executables.js';
import { installPackages } from '../packages.js';
import type { SayProgress, StepResult } from '../reporter.js';
import { errorText, SetupProblem } from '../setup-problem.js';
import { requireTool, runTool } from '../tool.js';
import { clearStalePidFile, engineFiles, writeEngineFiles, type EngineFiles } from './engine-files.js';
import { probeUnixSocket } from '../probes.js';

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
const SERVICE_TIMEOUT_MS = 90_000;
const IPTABLES_TIMEOUT_MS = 10_000;

/** Makes a Docker engine answer and returns its address: the one named, the machine's, or one of our own. */
export async function bringUpEngine(context: LaunchContext, say: SayProgress): Promise<StepResult<string>> {
  const { ownEngine } = context.options;
  const named = context.environment['DOCKER_HOST'];
  if (!ownEngine && named !== undefined && named !== '') return useNamedEngine(named);
  const ownIsAlive = context.supervisor.leftover('dockerd') !== undefined;
  if (!ownEngine && !ownIsAlive) {
    // The second one is an engine of this state directory whose run.json was lost: it is used, but never signalled.
    for (const dockerHost of [DEFAULT_DOCKER_HOST, `unix://${engineFiles(context.state).socket}`]) {
      if (await answers(dockerHost)) return found(dockerHost);
    }
  }
  if (findExecutable('dockerd') === undefined || findExecutable('containerd') === undefined) {
    await installPackages(
      context,
      'a Docker engine, in which the sandboxes run',
      ['docker.io', 'iptables'],
      say,
    );
  }
  if (!ownEngine && !ownIsAlive && existsSync('/run/systemd/system')) {
    await requireTool('systemctl', ['start', 'docker'], {
      timeoutMs: SERVICE_TIMEOUT_MS,
      signal: context.signal,
    });
    return found(DEFAULT_DOCKER_HOST);
  }
  return startOwnEngine(context);
}

async function useNamedEngine(dockerHost: string): Promise<StepResult<string>> {
  try {
    return await found(dockerHost);
  } catch (error) {
    throw new SetupProblem(
      `No Docker engine answers at DOCKER_HOST=${dockerHost} (${errorText(error)}).`,
      'sandboxes are Docker containers.',
      'start that engine, or unset DOCKER_HOST to let Berth find or start one',
    );
  }
}

async function found(dockerHost: string): Promise<StepResult<string>> {
  return { verb: 'found', detail: `${await engineVersion(dockerHost)} at ${dockerHost}`, value: dockerHost };
}

async function answers(dockerHost: string): Promise<boolean> {
  return pingEngine(dockerHost).then(
    () => true,
    () => false,
  );
}

export async function startOwnEngine(context: LaunchContext): Promise<StepResult<string>> {
  if (process.getuid?.() !== 0) {
    throw new SetupProblem(
      'No Docker engine answers, and only root can start one.',
      'sandboxes are Docker containers.',
      'start Docker (sudo systemctl start docker) and let this user use it (sudo usermod -aG docker $USER), or set DOCKER_HOST',
    );
  }
  const files = engineFiles(context.state);
  writeEngineFiles(files);
  const containerd = await context.supervisor.bringUp(describeContainerd(context, files), context.signal);
  const dockerd = await context.supervisor.bringUp(await describeDockerd(context, files), context.signal);
  const dockerHost = `unix://${files.socket}`;
  const isAdopted = containerd === 'adopted' && dockerd === 'adopted';
  const detail = `${await engineVersion(dockerHost)} at ${dockerHost}`;
  return { verb: isAdopted ? 'adopted' : 'started', detail, value: dockerHost };
}

function describeContainerd(context: LaunchContext, files: EngineFiles): ComponentDescription {
  return {
    name: 'containerd',
    command: [findExecutable('containerd') ?? 'containerd', '--config', files.containerdConfig],
    env: engineEnvironment(context),
    cwd: files.home,
    probe: () => probeUnixSocket(files.containerdSocket),
    readyTimeoutMs: READY_TIMEOUT_MS,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: STOP_TIMEOUT_MS,
  };
}

async function describeDockerd(context: LaunchContext, files: EngineFiles): Promise<ComponentDescription> {
  const firewall = await chooseFirewall(files, context);
  const env = engineEnvironment(context);
  return {
    name: 'dockerd',
    command: commandLine(findExecutable('dockerd') ?? 'dockerd', [
      ['--config-file', files.daemonConfig],
      ['--host', `unix://${files.socket}`, '--containerd', files.containerdSocket],
      ['--data-root', files.dataRoot, '--exec-root', files.execRoot, '--pidfile', files.pidFile],
      // Sandboxes have a network of their own; without docker0 several engines can live on one machine.
      ['--live-restore', '--bridge=none', '--log-level=warn', ...firewall.flags],
    ]),
    env: {
      ...env,
      PATH: firewall.path === undefined ? env['PATH'] : `${firewall.path}:${env['PATH'] ?? ''}`,
    },
    cwd: files.home,
    prepare: () => clearStalePidFile(files.pidFile, 'dockerd'),
    probe: () => pingEngine(`unix://${files.socket}`),
    readyTimeoutMs: READY_TIMEOUT_MS,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: STOP_TIMEOUT_MS,
  };
}

/** dockerd calls `iptables`. Where the kernel lacks nf_tables, Debian's other iptables is put first on its PATH. */
async function chooseFirewall(
  files: EngineFiles,
  context: LaunchContext,
): Promise<{ flags: string[]; path?: string }> {
  const works = async (command: string): Promise<boolean> => {
    const path = findExecutable(command);
    if (path === undefined) return false;
    const result = await runTool(path, ['-t', 'nat', '-L', '-n'], { timeoutMs: IPTABLES_TIMEOUT_MS });
    return result.code === 0;
  };
  if (await works('iptables')) return { flags: [] };
  if (await works('iptables-legacy')) {
    mkdirSync(files.toolPath, { recursive: true });
    for (const name of ['iptables', 'ip6tables']) {
      rmSync(join(files.toolPath, name), { force: true });
      symlinkSync(findExecutable(`${name}-legacy`) ?? `${name}-legacy`, join(files.toolPath, name));
    }
    return { flags: [], path: files.toolPath };
  }
  context.reporter.note(
    'docker',
    'iptables does not work on this machine, so sandboxes have no way out to the network',
  );
  return { flags: ['--iptables=false', '--ip-masq=false'] };
}

function engineEnvironment(context: LaunchContext): NodeJS.ProcessEnv {
  const env = plainEnvironment(context.environment);
  return { ...env, PATH: `${env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin` };
}
