import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { commandLine, type ComponentDescription } from '../component.js';
import { plainEnvironment, type LaunchContext } from '../context.js';
import { findExecutable } from '../executables.js';
import { buildTool, findBuiltTool, TEMPORAL_TOOL } from '../go-tools.js';
import type { SayProgress, StepResult } from '../reporter.js';
import { errorText, SetupProblem } from '../setup-problem.js';
import { requireTool } from '../tool.js';
import { prepareNamespace, probeNamespace, SEARCH_ATTRIBUTES } from './temporal-namespace.js';

const PORT = 7233;
const UI_PORT = 8233;
const HOST = '127.0.0.1';
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
const VERSION_TIMEOUT_MS = 15_000;
/** How often a shard's queues may be loaded each second. The default of 20 makes every task wait for the next 50 ms tick. */
const POLLS_PER_SECOND_MAX = 5_000;
const QUEUES = ['transfer', 'timer', 'visibility'] as const;

export interface TemporalPlace {
  readonly address: string;
  readonly uiUrl: string | undefined;
  readonly namespace: string;
}

/** Makes a Temporal server answer, with our namespace and search attributes: the one named, or one of our own on a file. */
export async function bringUpTemporal(
  context: LaunchContext,
  say: SayProgress,
): Promise<StepResult<TemporalPlace>> {
  const namespace = context.environment['TEMPORAL_NAMESPACE'] || 'default';
  const named = context.environment['TEMPORAL_ADDRESS'];
  if (named !== undefined && named !== '') return useNamedServer(named, namespace, context);
  const program = await findProgram(context, say);
  const { port, uiPort } = await choosePorts(context);
  const address = `${HOST}:${port}`;
  const description = describe(context, program, namespace, port, uiPort);
  const verb = await context.supervisor.bringUp(description, context.signal);
  await prepareNamespace(address, namespace);
  const uiUrl = `http://${HOST}:${uiPort}`;
  const detail = `${program.version} at ${address}, Web UI ${uiUrl}`;
  return {
    verb: program.isNew && verb === 'started' ? 'built' : verb,
    detail,
    value: { address, uiUrl, namespace },
  };
}

async function useNamedServer(
  address: string,
  namespace: string,
  context: LaunchContext,
): Promise<StepResult<TemporalPlace>> {
  try {
    await prepareNamespace(address, namespace);
  } catch (error) {
    throw new SetupProblem(
      `No Temporal server answers at TEMPORAL_ADDRESS=${address} with namespace ${namespace} (${errorText(error)}).`,
      'Temporal makes every operation durable.',
      'start it and create the namespace, or unset TEMPORAL_ADDRESS to let Berth start one of its own',
    );
  }
  const uiUrl = context.environment['TEMPORAL_UI_URL'];
  return {
    verb: 'found',
    detail: `${address}, namespace ${namespace}`,
    value: { address, uiUrl, namespace },
  };
}

interface Program {
  readonly path: string;
  readonly version: string;
  readonly isNew: boolean;
}

async function findProgram(context: LaunchContext, say: SayProgress): Promise<Program> {
  const place = {
    root: context.root,
    cache: context.cache,
    logDirectory: context.state.logs,
    verbose: context.options.verbose,
    signal: context.signal,
  };
  const existing = findExecutable('temporal') ?? (await findBuiltTool(TEMPORAL_TOOL, place));
  const path = existing ?? (await buildTool(TEMPORAL_TOOL, place, say));
  const { stdout } = await requireTool(path, ['--version'], { timeoutMs: VERSION_TIMEOUT_MS });
  const version = /version (\S+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${path} --version says: ${stdout.trim()}`);
  return { path, version, isNew: existing === undefined };
}

/** An adopted server keeps its ports; the Web UI's stands in its command line. */
async function choosePorts(context: LaunchContext): Promise<{ port: number; uiPort: number }> {
  const leftover = context.supervisor.leftover('temporal');
  const leftoverUi = leftover === undefined ? undefined : /--ui-port (\d+)/.exec(leftover.command)?.[1];
  if (leftover?.port !== undefined && leftoverUi !== undefined) {
    context.ports.reserve(leftover.port);
    context.ports.reserve(Number(leftoverUi));
    return { port: leftover.port, uiPort: Number(leftoverUi) };
  }
  const { portBase, strictPorts } = context.options;
  const wanted = { host: HOST, strict: strictPorts };
  const port = await context.ports.choose({ ...wanted, name: 'Temporal', preferred: portBase ?? PORT });
  const uiPort = await context.ports.choose({
    ...wanted,
    name: "Temporal's Web UI",
    preferred: portBase ?? UI_PORT,
  });
  return { port, uiPort };
}

function describe(
  context: LaunchContext,
  program: Program,
  namespace: string,
  port: number,
  uiPort: number,
): ComponentDescription {
  const address = `${HOST}:${port}`;
  return {
    name: 'temporal',
    command: commandLine(program.path, [
      ['server', 'start-dev', '--ip', HOST, '--port', String(port), '--ui-port', String(uiPort)],
      ['--db-filename', databaseFile(context, program.version), '--namespace', namespace],
      ['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=2'],
      ...SEARCH_ATTRIBUTES.map((name) => ['--search-attribute', `${name}=Keyword`]),
      ...QUEUES.map((queue) => [
        '--dynamic-config-value',
        `history.${queue}ProcessorMaxPollRPS=${POLLS_PER_SECOND_MAX}`,
      ]),
      ['--log-level', 'warn', '--log-format', 'json'],
    ]),
    env: plainEnvironment(context.environment),
    cwd: context.state.root,
    port,
    prepare: async () => {
      await context.ports.release(port);
      await context.ports.release(uiPort);
    },
    probe: () => probeNamespace(address, namespace),
    readyTimeoutMs: READY_TIMEOUT_MS,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: STOP_TIMEOUT_MS,
  };
}

/** The development server's file is not to be read by another version, so each has its own. */
function databaseFile(context: LaunchContext, version: string): string {
  const name = `temporal-${version}.db`;
  const others = readdirSync(context.state.root).filter(
    (file) => /^temporal-.*\.db$/.test(file) && file !== name,
  );
  if (others.length > 0) {
    context.reporter.note(
      'temporal',
      `${others.join(', ')} is of another version: its runs are not shown by ${version}`,
    );
  }
  return join(context.state.root, name);
}
