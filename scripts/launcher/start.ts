import { once } from 'node:events';
import { printBanner, printInfraBanner } from './banner.js';
import { parseStartArguments, type StartOptions } from './arguments.js';
import { Cache } from './cache.js';
import type { LaunchContext } from './context.js';
import { endProcess } from './ending.js';
import { addresses, bringUpInfrastructure } from './infrastructure.js';
import { acquireInstanceLock } from './instance-lock.js';
import { PortChooser } from './ports.js';
import { isAlive, observeProcess, type ProcessIdentity } from './process-identity.js';
import { bringUpProduct, chooseProductPorts } from './product.js';
import { Reporter } from './reporter.js';
import { COMPONENT_NAMES, readRunFile, RUN_FILE_VERSION, RunFile, type RunState } from './run-file.js';
import { loadOrCreateSecrets } from './secrets-file.js';
import { errorText, SetupInterrupted, SetupProblem } from './setup-problem.js';
import { layOutState, prepareState, type StateDirectory } from './state-directory.js';
import { Supervisor } from './supervisor.js';

const LEFTOVER_STOP_TIMEOUT_MS = 10_000;
/** The sandboxes live in the engine, so it goes on when the rest ends. */
const ENDED_ON_STOP = COMPONENT_NAMES.filter((name) => name !== 'dockerd' && name !== 'containerd');

/** `npm start`: brings everything up, stays as its supervisor, and ends it in order on Ctrl+C or SIGTERM. */
export async function main(
  argv: readonly string[],
  root: string,
  buildProduct: () => Promise<void>,
): Promise<number> {
  const interruption = listenForInterruption();
  try {
    const options = parseStartArguments(argv, process.env);
    const state = layOutState(options.stateDirectory, root);
    prepareState(state);
    const lock = await acquireInstanceLock(state.root);
    if (lock === undefined) return tellThatItRuns(state);
    if (!options.onlyInfra) await buildProduct();
    return await supervise(options, state, root, interruption);
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

async function supervise(
  options: StartOptions,
  state: StateDirectory,
  root: string,
  interruption: AbortController,
): Promise<number> {
  const reporter = new Reporter(process.stdout, options.verbose);
  const secrets = loadOrCreateSecrets(state.secretsFile);
  const previous = readRunFile(state.runFile);
  await endProductLeftovers(previous, reporter);
  const leftovers = livingProcesses(previous);
  const runFile = new RunFile(state.runFile, {
    version: RUN_FILE_VERSION,
    phase: 'starting',
    supervisor: identifyThisProcess(),
    stateDirectory: state.root,
    instanceId: secrets.instanceId,
    processes: leftovers,
  });
  const context: LaunchContext = {
    root,
    state,
    cache: Cache.fromEnvironment(process.env),
    secrets,
    options,
    environment: process.env,
    reporter,
    supervisor: new Supervisor(runFile, state.logs, reporter, leftovers),
    ports: new PortChooser((text) => reporter.note('ports', text)),
    signal: interruption.signal,
  };
  let exitCode = 0;
  try {
    await bringUpEverything(context, runFile, interruption);
    await once(interruption.signal, 'abort');
  } catch (error) {
    if (!(error instanceof SetupInterrupted)) {
      exitCode = 1;
      process.stderr.write(`${error instanceof SetupProblem ? error.message : describeFailure(error)}\n`);
    }
  }
  runFile.update({ phase: 'stopping' });
  reporter.line('Ending what was started (a Docker engine, sandboxes and their commands go on):');
  await context.supervisor.stop(ENDED_ON_STOP);
  runFile.update({ phase: 'stopped' });
  return exitCode;
}

async function bringUpEverything(
  context: LaunchContext,
  runFile: RunFile,
  interruption: AbortController,
): Promise<void> {
  const { reporter, options } = context;
  reporter.line(`Berth in ${context.state.root}`);
  // Before the components choose theirs: the API's port is the one that people know.
  const ports = options.onlyInfra ? undefined : await chooseProductPorts(context);
  const infrastructure = await bringUpInfrastructure(context, interruption);
  runFile.update(addresses(infrastructure));
  if (ports === undefined) {
    runFile.update({ phase: 'ready' });
    printInfraBanner(context, infrastructure);
    return;
  }
  const apiUrl = await bringUpProduct(context, infrastructure, ports, runFile);
  printBanner(context, infrastructure, apiUrl);
}

/** Worker and API of an earlier start have that start's environment; they are ended, and the commands they follow go on. */
async function endProductLeftovers(previous: RunState | undefined, reporter: Reporter): Promise<void> {
  for (const name of ['api', 'worker'] as const) {
    const record = previous?.processes[name];
    if (record === undefined || !isAlive(record)) continue;
    const ending = await endProcess(record, 'SIGTERM', LEFTOVER_STOP_TIMEOUT_MS);
    reporter.note(
      name,
      `process ${record.pid} of an earlier start ${ending === 'killed' ? 'was killed' : 'ended'}`,
    );
  }
}

function livingProcesses(previous: RunState | undefined): RunState['processes'] {
  return Object.fromEntries(
    Object.entries(previous?.processes ?? {}).filter(([, record]) => isAlive(record)),
  );
}

function identifyThisProcess(): ProcessIdentity {
  const observed = observeProcess(process.pid);
  if (observed === undefined) throw new Error('/proc is not mounted: Berth runs on Linux');
  return { pid: process.pid, startTime: observed.startTime, command: observed.command };
}

function tellThatItRuns(state: StateDirectory): number {
  const run = readRunFile(state.runFile);
  const where = run?.apiUrl === undefined ? '' : ` API ${run.apiUrl}`;
  const temporal = run?.temporalUiUrl === undefined ? '' : ` · Temporal ${run.temporalUiUrl}`;
  const pid = run === undefined ? '' : ` (process ${run.supervisor.pid}, ${run.phase})`;
  process.stdout.write(
    `Berth is already running in ${state.root}${pid}.${where}${temporal}\nnpm run stop ends it.\n`,
  );
  return 0;
}

function listenForInterruption(): AbortController {
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => interruption.abort());
  // A terminal that was closed takes no more output, and the components must still be ended in order.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    });
  }
  return interruption;
}

function describeFailure(error: unknown): string {
  return errorText(error);
}
