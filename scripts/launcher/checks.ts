import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { existsSync } from 'node:fs';
import { Cache } from './cache.js';
import { choosePostgres } from './components/postgres-binaries.js';
import { DEFAULT_DOCKER_HOST, engineVersion } from './engine-client.js';
import { findExecutable, findGo } from './executables.js';
import { findBuiltTool, MINIO_TOOL, TEMPORAL_TOOL, type GoTool } from './go-tools.js';
import { probeHttp } from './probes.js';
import { isAlive } from './process-identity.js';
import { livingSupervisor, readRunFile, type RunState } from './run-file.js';
import { errorText, SetupProblem } from './setup-problem.js';
import type { StateDirectory } from './state-directory.js';

const FREE_BYTES_MIN = 1024 ** 3;

export interface Check {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'missing';
  readonly detail: string;
  readonly fix?: string;
}

export async function runChecks(
  root: string,
  state: StateDirectory,
  environment: NodeJS.ProcessEnv,
): Promise<Check[]> {
  const run = readRunFile(state.runFile);
  const goCheck = await checkGo();
  return [
    { name: 'node', state: 'ok', detail: process.versions.node },
    goCheck,
    await checkDocker(run, environment),
    await checkPostgres(root, state, environment),
    await checkServer('temporal', TEMPORAL_TOOL, 'TEMPORAL_ADDRESS', { root, state, environment, goCheck }),
    await checkServer('object storage', MINIO_TOOL, 'S3_ENDPOINT', { root, state, environment, goCheck }),
    checkDisk(state.root),
    ...(await checkInstance(run, state)),
  ];
}

async function checkGo(): Promise<Check> {
  const { path, version, problem } = await findGo();
  if (path !== undefined) return { name: 'go', state: 'ok', detail: `${version ?? ''} at ${path}` };
  return {
    name: 'go',
    state: 'warning',
    detail: `${problem ?? ''}; it builds what is neither installed nor in the cache`,
    fix: 'install Go from https://go.dev/dl into /usr/local/go',
  };
}

async function checkDocker(run: RunState | undefined, environment: NodeJS.ProcessEnv): Promise<Check> {
  const named = environment['DOCKER_HOST'];
  const candidates = named
    ? [named]
    : [run?.dockerHost, DEFAULT_DOCKER_HOST].filter((host) => host !== undefined);
  for (const dockerHost of candidates) {
    try {
      return { name: 'docker', state: 'ok', detail: `${await engineVersion(dockerHost)} at ${dockerHost}` };
    } catch {
      continue;
    }
  }
  const canStart = process.getuid?.() === 0 && !named;
  const isInstalled = findExecutable('dockerd') !== undefined && findExecutable('containerd') !== undefined;
  if (canStart && (isInstalled || existsSync('/usr/bin/apt-get'))) {
    const how = isInstalled ? 'npm start starts the installed one' : 'npm start installs docker.io';
    return { name: 'docker', state: 'ok', detail: `no engine answers; ${how}` };
  }
  return {
    name: 'docker',
    state: 'missing',
    detail: named
      ? `no engine answers at DOCKER_HOST=${named}`
      : 'no engine answers, and only root can start one',
    fix: 'sudo systemctl start docker && sudo usermod -aG docker $USER, or set DOCKER_HOST',
  };
}

async function checkPostgres(
  root: string,
  state: StateDirectory,
  environment: NodeJS.ProcessEnv,
): Promise<Check> {
  if (environment['DATABASE_URL']) return { name: 'postgres', state: 'ok', detail: 'named by DATABASE_URL' };
  try {
    const { version, directory } = await choosePostgres({ root, environment }, `${state.root}/postgres`);
    return { name: 'postgres', state: 'ok', detail: `${version} in ${directory}` };
  } catch (error) {
    const fix = error instanceof SetupProblem ? { fix: error.fix } : {};
    return { name: 'postgres', state: 'missing', detail: errorText(error).split('\n')[0] ?? '', ...fix };
  }
}

interface ServerPlace {
  readonly root: string;
  readonly state: StateDirectory;
  readonly environment: NodeJS.ProcessEnv;
  readonly goCheck: Check;
}

async function checkServer(name: string, tool: GoTool, variable: string, place: ServerPlace): Promise<Check> {
  const { environment, root, state, goCheck } = place;
  if (environment[variable]) return { name, state: 'ok', detail: `named by ${variable}` };
  const installed = findExecutable(tool.name);
  if (installed !== undefined) return { name, state: 'ok', detail: installed };
  const built = await findBuiltTool(tool, {
    root,
    cache: Cache.fromEnvironment(environment),
    logDirectory: state.logs,
    verbose: false,
    signal: new AbortController().signal,
  });
  if (built !== undefined) return { name, state: 'ok', detail: built };
  if (goCheck.state === 'ok')
    return { name, state: 'ok', detail: 'npm start builds it once, in a few minutes' };
  return {
    name,
    state: 'missing',
    detail: `neither ${tool.name} nor Go is installed`,
    fix: goCheck.fix ?? '',
  };
}

function checkDisk(directory: string): Check {
  const existing = existsSync(directory) ? directory : dirname(directory);
  const { bavail, bsize } = statfsSync(existing);
  const gibibytes = ((bavail * bsize) / 1024 ** 3).toFixed(1);
  const isEnough = bavail * bsize >= FREE_BYTES_MIN;
  const check = { name: 'disk', detail: `${gibibytes} GiB free at ${existing}` };
  return isEnough
    ? { ...check, state: 'ok' }
    : { ...check, state: 'missing', fix: 'free some space, or use --state-dir' };
}

async function checkInstance(run: RunState | undefined, state: StateDirectory): Promise<Check[]> {
  const supervisor = livingSupervisor(run);
  if (run === undefined || supervisor === undefined) {
    return [{ name: 'berth', state: 'warning', detail: `not running in ${state.root}`, fix: 'npm start' }];
  }
  const checks: Check[] = [
    { name: 'berth', state: 'ok', detail: `${run.phase}, supervisor is process ${supervisor.pid}` },
  ];
  for (const [name, record] of Object.entries(run.processes)) {
    const isUp = isAlive(record);
    const detail = `process ${record.pid}${isUp ? '' : ' is gone'}${record.port === undefined ? '' : `, port ${record.port}`}`;
    checks.push({ name: `  ${name}`, state: isUp ? 'ok' : 'missing', detail });
  }
  if (run.apiUrl !== undefined) checks.push(await checkApi(run.apiUrl));
  return checks;
}

async function checkApi(apiUrl: string): Promise<Check> {
  try {
    await probeHttp(`${apiUrl}/health/ready`, (status) => status === 200);
    return { name: 'api', state: 'ok', detail: `ready at ${apiUrl}` };
  } catch (error) {
    return { name: 'api', state: 'missing', detail: errorText(error), fix: `curl ${apiUrl}/health` };
  }
}
