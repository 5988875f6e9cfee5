import { proxyActivities } from '@temporalio/workflow';
import type { ControlActivities, GitActivities, HostActivities } from '#activities';
import { limits, type StepName, type StepRecord, type Undo } from '#domain';
import { CONTROL_TASK_QUEUE, hostTaskQueue, type OperationInput } from './contract.js';

/** How often is for the Activity to say, which knows a failure of the step from an attempt that was lost with its worker. */
const STEP_RETRY = { initialInterval: '500ms', maximumInterval: '5s' } as const;
const HEARTBEAT_TIMEOUT = '12s';
const ATTEMPT_MS_MAX = 15 * 60_000;
/** For an Activity that ends at a time of its own. */
const SPARE_MS = 60_000;

export const controlActivities = (): ControlActivities =>
  proxyActivities<ControlActivities>({ taskQueue: CONTROL_TASK_QUEUE, startToCloseTimeout: '30s' });

/** How each step of a plan is done. */
export function stepActivities(input: OperationInput): Readonly<Record<StepName, () => Promise<void>>> {
  const control = controlActivities();
  const host = hostActivities(input, limits.STEP_MS_MAX);
  const archives = hostActivities(input, limits.STEP_MS_MAX, limits.ARCHIVE_MS_MAX);
  const ref = { operationId: input.operationId, sandboxId: input.sandboxId };
  return {
    check_restarts: () => control.checkRestarts(ref),
    hold_queue: () => control.holdQueue(ref),
    await_execs: () => awaitExecs(input),
    withdraw_execs: () => control.withdrawExecs(ref),
    end_execs: () => host.endExecs(ref),
    stop_container: () => host.stopContainer(ref),
    drain_execs: () => host.drainExecs(ref),
    record_stopped: () => control.recordStopped(ref),
    prepare_storage: () => host.prepareStorage(ref),
    create_container: () => host.createContainer(ref),
    start_container: () => host.startContainer(ref),
    await_runner: () => host.awaitRunner(ref),
    await_health: () => host.awaitHealth(ref),
    open_queue: () => control.openQueue(ref),
    remove_containers: () => host.removeContainers(ref),
    remove_storage: () => host.removeStorage(ref),
    record_deleted: () => control.recordDeleted(ref),
    clone_repository: () => host.cloneRepository(ref),
    commit_changes: () => host.commitChanges(ref),
    push_branch: () => host.pushBranch(ref),
    pull_branch: () => host.pullBranch(ref),
    open_pull_request: () => host.openPullRequest(ref),
    record_git: () => control.recordGit(ref),
    write_snapshot: () => archives.writeSnapshot(ref),
    record_done: () => control.recordDone(ref),
    unpack_snapshot: () => archives.unpackSnapshot(ref),
    switch_workspace: () => control.switchWorkspace(ref),
    apply_change: () => control.applyChange(ref),
  };
}

/** Several steps at once; what the row says of them then. */
export async function doStage(
  input: OperationInput,
  steps: readonly StepName[],
): Promise<readonly StepRecord[]> {
  const { operationId, sandboxId } = input;
  const host = hostActivities(input, limits.STEP_MS_MAX, steps.length * ATTEMPT_MS_MAX);
  return await host.doStage({ operationId, sandboxId, steps });
}

/** How each undo is done. A run must end, so an undo does not wait for its host as long as a step does. */
export function undoActivities(input: OperationInput): Readonly<Record<Undo, () => Promise<void>>> {
  const control = controlActivities();
  const host = hostActivities(input, limits.UNDO_MS_MAX);
  const ref = { operationId: input.operationId, sandboxId: input.sandboxId };
  return {
    discard_container: () => host.discardContainer(ref),
    revert_change: () => control.revertChange(ref),
    revert_workspace: () => host.revertWorkspace(ref),
    run_again: () => host.runAgain(ref),
    discard_snapshot: () => control.discardSnapshot(ref),
    observe_container: () => host.observeContainer(ref),
    discard_git: () => host.discardGit(ref),
  };
}

function hostActivities(
  { hostId }: OperationInput,
  scheduleToCloseTimeout: number,
  startToCloseTimeout = ATTEMPT_MS_MAX,
): HostActivities & GitActivities {
  return proxyActivities<HostActivities & GitActivities>({
    taskQueue: hostTaskQueue(hostId),
    startToCloseTimeout,
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    scheduleToCloseTimeout,
    retry: STEP_RETRY,
  });
}

/** A deploy ends an attempt and not the waiting, so attempts are not counted here. */
async function awaitExecs({ operationId, sandboxId, options }: OperationInput): Promise<void> {
  const waitMs = (options?.waitSeconds ?? limits.EXECS_WAIT_SECONDS_DEFAULT) * 1_000;
  const { awaitExecs: wait } = proxyActivities<ControlActivities>({
    taskQueue: CONTROL_TASK_QUEUE,
    startToCloseTimeout: waitMs + SPARE_MS,
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
  });
  await wait({ operationId, sandboxId, untilMs: Date.now() + waitMs });
}
