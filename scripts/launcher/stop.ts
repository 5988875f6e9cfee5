import { parseStopArguments } from './arguments.js';
import { endProcess } from './ending.js';
import { pollUntil } from './pause.js';
import { isAlive, signalProcess } from './process-identity.js';
import { Reporter } from './reporter.js';
import {
  COMPONENT_NAMES,
  livingSupervisor,
  readRunFile,
  type ComponentName,
  type RunState,
} from './run-file.js';
import { stopContainers } from './sandbox-containers.js';
import { errorText, SetupProblem } from './setup-problem.js';
import { layOutState, type StateDirectory } from './state-directory.js';

const SUPERVISOR_STOP_TIMEOUT_MS = 120_000;
const PROCESS_STOP_TIMEOUT_MS = 20_000;
const LOOK_INTERVAL_MS = 100;
const ENGINE: readonly ComponentName[] = ['dockerd', 'containerd'];

/** `npm run stop`: ends the supervisor and what it has started; with --all the sandboxes and an engine of ours, too. */
export async function main(argv: readonly string[], root: string): Promise<number> {
  try {
    const options = parseStopArguments(argv, process.env);
    const reporter = new Reporter(process.stdout, options.verbose);
    await stopInstance(layOutState(options.stateDirectory, root), options.all, reporter);
    return 0;
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

/** Ends an instance, whether its supervisor lives or not. Only processes that run.json names and that still match are signalled. */
export async function stopInstance(state: StateDirectory, all: boolean, reporter: Reporter): Promise<void> {
  const before = readRunFile(state.runFile);
  if (before === undefined) {
    reporter.line(`Nothing of Berth has been started in ${state.root}.`);
    return;
  }
  const endedSupervisor = await stopSupervisor(before, reporter);
  const run = readRunFile(state.runFile) ?? before;
  const endedProcesses = await endProcesses(run, (name) => !ENGINE.includes(name), reporter);
  if (all) {
    const ended = await stopContainersOf(run, reporter);
    if (ended > 0) reporter.note('sandboxes', `${ended} ended`);
    await endProcesses(run, (name) => ENGINE.includes(name), reporter);
  }
  const isEngineLeft = ENGINE.some((name) => isRunning(run, name));
  if (!endedSupervisor && !endedProcesses && !all) reporter.line('Berth was not running.');
  if (isEngineLeft)
    reporter.line('The Docker engine and the sandboxes go on; npm run stop -- --all ends them.');
}

async function stopSupervisor(run: RunState, reporter: Reporter): Promise<boolean> {
  const supervisor = livingSupervisor(run);
  if (supervisor === undefined) return false;
  reporter.note('supervisor', `process ${supervisor.pid} is asked to end`);
  signalProcess(supervisor, 'SIGTERM');
  const isGone = await pollUntil(() => !isAlive(supervisor), {
    timeoutMs: SUPERVISOR_STOP_TIMEOUT_MS,
    intervalMs: LOOK_INTERVAL_MS,
  });
  if (!isGone) {
    throw new SetupProblem(
      `The supervisor, process ${supervisor.pid}, has not ended within ${SUPERVISOR_STOP_TIMEOUT_MS / 1000} s.`,
      'it ends the components in order, and one of them may hang.',
      `look at its output, then kill -9 ${supervisor.pid} and run npm run stop again`,
    );
  }
  reporter.note('supervisor', 'ended');
  return true;
}

async function endProcesses(
  run: RunState,
  isWanted: (name: ComponentName) => boolean,
  reporter: Reporter,
): Promise<boolean> {
  let endedAny = false;
  for (const name of COMPONENT_NAMES.toReversed().filter(isWanted)) {
    const record = run.processes[name];
    if (record === undefined) continue;
    // PostgreSQL understands SIGINT as: end now, but write the checkpoint.
    const ending = await endProcess(
      record,
      name === 'postgres' ? 'SIGINT' : 'SIGTERM',
      PROCESS_STOP_TIMEOUT_MS,
    );
    if (ending === 'already gone') continue;
    reporter.note(name, ending);
    endedAny = true;
  }
  return endedAny;
}

async function stopContainersOf(run: RunState, reporter: Reporter): Promise<number> {
  if (run.dockerHost === undefined) return 0;
  const isOurEngine = isRunning(run, 'dockerd');
  try {
    return await stopContainers(run.dockerHost, isOurEngine ? undefined : run.instanceId);
  } catch (error) {
    reporter.note('sandboxes', `the engine at ${run.dockerHost} does not answer: ${errorText(error)}`);
    return 0;
  }
}

function isRunning(run: RunState, name: ComponentName): boolean {
  const record = run.processes[name];
  return record !== undefined && isAlive(record);
}
