import { Context } from '@temporalio/activity';
import {
  gitFailureOf,
  gitOutcomeOf,
  isDomainError,
  isTerminal,
  limits,
  OPERATION_PLANS,
  OPERATION_TRANSITIONS,
  type ContainerEngine,
  type CredentialStore,
  type GitOptions,
  type GitProgress,
  type Log,
  type Operation,
  type OperationOutcome,
  type OperationStore,
  type RunnerConnection,
  type Sandbox,
  type SandboxStore,
  type StepName,
  type WakeSender,
} from '#domain';
import type { GitActivities, StepInput } from '../contract.js';
import { translated } from '../failures.js';
import { stepsOver } from '../host/steps-over.js';
import type { GitRequest, GitSettings } from './git-program.js';
import { GitRuns } from './git-runs.js';

export interface GitActivityPorts {
  readonly sandboxes: SandboxStore;
  readonly operations: OperationStore;
  readonly credentials: Pick<CredentialStore, 'open'>;
  readonly engine: Pick<ContainerEngine, 'connect' | 'inspect'>;
  readonly wake: WakeSender;
  readonly log: Log;
  readonly settings: GitSettings;
}

const DISCARD = 'discard_git';

/** The steps that work in a repository. What each of them has brought about is on the row before the step has succeeded. */
export function createGitActivities(ports: GitActivityPorts): GitActivities {
  const step = gitStepsOver(ports);
  return translated<GitActivities>({
    cloneRepository: (input) =>
      step('clone_repository', input, ({ url, ref, depth }) => ({ action: 'clone', url, ref, depth })),

    commitChanges: (input) =>
      step('commit_changes', input, ({ message, author, paths }) => ({
        action: 'commit',
        message,
        author,
        paths,
      })),

    pushBranch: (input) =>
      step('push_branch', input, ({ branch, setUpstream, force, expectedOld }, committed) => ({
        action: 'push',
        branch: branch ?? committed?.branch,
        contains: committed?.commit,
        setUpstream,
        force: force === 'with-lease',
        expectedOld,
      })),

    pullBranch: (input) => step('pull_branch', input, ({ branch }) => ({ action: 'pull', branch })),

    openPullRequest: (input) =>
      step('open_pull_request', input, ({ title, message, base, branch, forge }) => ({
        action: 'open',
        title,
        message,
        base,
        branch,
        forge,
      })),

    discardGit: (input) =>
      stepsOver(ports)(DISCARD, input, async (sandbox) => {
        const operation = await ports.operations.get(input.operationId);
        await inSandbox(ports, sandbox, (connection) => discard(ports, connection, operation));
      }),
  });
}

/** `committed` is what an earlier step of the same run has brought about. */
type RequestOf = (
  git: GitOptions,
  committed: OperationOutcome | null,
) => Readonly<Record<string, unknown>> & Pick<GitRequest, 'action'>;

function gitStepsOver(ports: GitActivityPorts) {
  const { operations, engine } = ports;
  const record = stepsOver(ports);
  return async (name: StepName, input: StepInput, requestOf: RequestOf): Promise<void> => {
    if (hasDone(await operations.get(input.operationId), name)) return;
    await record(name, input, async (sandbox) => {
      const operation = await operations.get(input.operationId);
      const connection = await engine.connect({ sandboxId: sandbox.id, generation: sandbox.generation });
      const runs = new GitRuns(ports, connection, operation, name);
      try {
        await takeStep(ports, runs, operation, name, requestOf);
      } catch (error) {
        await connection.close();
        throw error;
      }
      // Nobody waits for this.
      void leave(ports, connection, runs, operation);
    });
  };
}

async function takeStep(
  ports: GitActivityPorts,
  runs: GitRuns,
  operation: Operation,
  name: StepName,
  requestOf: RequestOf,
): Promise<void> {
  const { git } = operation.options;
  if (git === undefined) throw new TypeError(`Operation ${operation.id} does not say what to do.`);
  const request = {
    ...requestOf(git, operation.kind === 'git_commit_and_push' ? operation.result : null),
    path: git.path,
    timeoutMs: (git.timeoutSeconds ?? limits.GIT_TIMEOUT_SECONDS_DEFAULT) * 1_000,
  };
  const { cancellationSignal } = Context.current();
  const result = await runs.take(request, cancellationSignal, progressOf(ports, operation, name));
  await ports.operations.recordResult(operation.id, gitOutcomeOf(operation.result, result));
  const failure = gitFailureOf(result);
  if (failure) throw failure;
}

/** Its worker died between the end of the step and the answer: the runs of it may be forgotten already. */
function hasDone({ state, steps }: Operation, name: StepName): boolean {
  const isLive = !isTerminal(OPERATION_TRANSITIONS, state);
  return isLive && steps.some((step) => step.name === name && step.state === 'succeeded');
}

async function leave(
  ports: GitActivityPorts,
  connection: RunnerConnection,
  runs: GitRuns,
  operation: Operation,
): Promise<void> {
  await tidy(ports, runs, operation);
  await connection.close();
}

/** Only to save space, so what cannot be done of it is left. */
async function tidy({ log }: GitActivityPorts, runs: GitRuns, { id }: Operation): Promise<void> {
  try {
    await runs.forget();
  } catch (error) {
    log.debug({ err: error, operationId: id }, 'Spools of git stay in the sandbox.');
  }
}

/** Shows the newest percentage now and then. */
function progressOf(
  { operations, wake, log }: GitActivityPorts,
  { id }: Operation,
  step: StepName,
): (progress: GitProgress) => void {
  let shownAt = Number.NEGATIVE_INFINITY;
  return (progress) => {
    const now = performance.now();
    if (now - shownAt < limits.PROGRESS_MS) return;
    shownAt = now;
    operations
      .noteProgress(id, step, progress)
      .then(() => wake.wake(`operation:${id}`))
      .catch((error: unknown) => log.debug({ err: error, operationId: id }, 'A percentage was not shown.'));
  };
}

/** Where the container does not run nothing of the operation does. */
async function inSandbox(
  { engine }: GitActivityPorts,
  { id, generation }: Sandbox,
  work: (connection: RunnerConnection) => Promise<void>,
): Promise<void> {
  const ref = { sandboxId: id, generation };
  let connection: RunnerConnection;
  try {
    connection = await engine.connect(ref);
  } catch (error) {
    if (!isDomainError(error, 'runner_unreachable') || (await engine.inspect(ref)).state === 'running')
      throw error;
    return;
  }
  try {
    await work(connection);
  } finally {
    await connection.close();
  }
}

async function discard(
  ports: GitActivityPorts,
  connection: RunnerConnection,
  operation: Operation,
): Promise<void> {
  const { git } = operation.options;
  for (const { step } of OPERATION_PLANS[operation.kind]) {
    const runs = new GitRuns(ports, connection, operation, step);
    await runs.cancel();
    await runs.forget();
  }
  if (git === undefined || operation.kind !== 'git_clone') return;
  const withoutSecret = { ...operation, options: {} };
  const runs = new GitRuns(ports, connection, withoutSecret, DISCARD);
  const { cancellationSignal } = Context.current();
  const result = await runs.take({ action: 'discard', path: git.path }, cancellationSignal, () => undefined);
  const failure = gitFailureOf(result);
  if (failure) throw failure;
  await tidy(ports, runs, operation);
}
