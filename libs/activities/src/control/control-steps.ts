import { Context } from '@temporalio/activity';
import {
  DomainError,
  isRestartingTooOften,
  limits,
  notStartedEnd,
  snapshotId,
  type Correction,
  type TierName,
  type Sandbox,
  type SandboxObservedState,
  type StepName,
  type Undo,
} from '#domain';
import { workspaceToSwitchTo } from '../archive/archive-steps.js';
import type { ControlActivities, StepInput } from '../contract.js';
import { withHeartbeat } from '../heartbeat.js';
import { Backoff } from '../patience.js';
import { recordedStep } from '../step.js';
import type { ControlActivityPorts } from './control-ports.js';

type ControlSteps = Pick<
  ControlActivities,
  | 'checkRestarts'
  | 'holdQueue'
  | 'awaitExecs'
  | 'withdrawExecs'
  | 'switchWorkspace'
  | 'applyChange'
  | 'revertChange'
  | 'discardSnapshot'
  | 'openQueue'
  | 'recordDone'
  | 'recordStopped'
  | 'recordDeleted'
  | 'recordGit'
>;

/** The steps of operations that touch rows and runs only. */
export function createControlSteps(ports: ControlActivityPorts): ControlSteps {
  const { sandboxes, operations } = ports;
  const step = (name: StepName | Undo, input: StepInput, work: (sandbox: Sandbox) => Promise<void>) =>
    recordedStep(ports, name, input, async () => work(await sandboxes.get(input.sandboxId)));
  return {
    checkRestarts: (input) =>
      step('check_restarts', input, async ({ restarts }) => {
        if (isRestartingTooOften(restarts)) throw restartingTooOften();
        await Promise.resolve();
      }),

    holdQueue: (input) =>
      step('hold_queue', input, async (sandbox) => {
        if (HELD[sandbox.observedState]) await observe(ports, input, sandbox, 'stopping');
      }),

    awaitExecs: (input) =>
      withHeartbeat(() =>
        step('await_execs', input, ({ id }) => untilNoneIsLive(ports, id, timeLeftMs(input.untilMs))),
      ),

    withdrawExecs: (input) => step('withdraw_execs', input, ({ id }) => withdrawQueued(ports, id)),

    switchWorkspace: (input) =>
      step('switch_workspace', input, async ({ id }) => {
        const operation = await operations.get(input.operationId);
        await sandboxes.switchWorkspace(id, input.operationId, workspaceToSwitchTo(operation));
      }),

    applyChange: (input) =>
      step('apply_change', input, async ({ id }) => {
        const { image, tier } = (await operations.get(input.operationId)).options;
        await sandboxes.correctByOperation(id, input.operationId, madeOf(image, tier));
        ports.wake.wake(`sandbox:${id}`);
      }),

    revertChange: (input) =>
      step('revert_change', input, async ({ id }) => {
        const { before } = (await operations.get(input.operationId)).options;
        await sandboxes.correctByOperation(id, input.operationId, madeOf(before?.image, before?.tier));
        ports.wake.wake(`sandbox:${id}`);
      }),

    discardSnapshot: (input) =>
      step('discard_snapshot', input, () => ports.snapshots.discard(snapshotId(input.operationId))),

    recordDone: (input) => lastStep(ports, 'record_done', input, async () => Promise.resolve()),

    openQueue: (input) =>
      lastStep(ports, 'open_queue', input, async (sandbox) => {
        await observe(ports, input, sandbox, 'running');
        await continueQueue(ports, sandbox.id);
      }),

    recordStopped: (input) =>
      lastStep(ports, 'record_stopped', input, async (sandbox) => {
        await observe(ports, input, sandbox, sandbox.generation === 0 ? 'none' : 'stopped');
      }),

    recordDeleted: (input) =>
      lastStep(ports, 'record_deleted', input, async (sandbox) => {
        await observe(ports, input, { ...sandbox, containerId: null }, 'deleted');
      }),

    recordGit: (input) =>
      lastStep(ports, 'record_git', input, async () => {
        await ports.credentials.removeOfOperation(input.operationId);
      }),
  };
}

function restartingTooOften(): DomainError {
  const minutes = limits.RESTART_WINDOW_MS / 60_000;
  return new DomainError(
    'restarts_exhausted',
    `The sandbox was started again by itself ${limits.RESTARTS_MAX} times in ${minutes} minutes and did not stay up.`,
  );
}
const madeOf = (image: string | undefined, tier: TierName | undefined): Correction => ({
  ...(image === undefined ? {} : { image }),
  ...(tier === undefined ? {} : { tier }),
});

/** Where something may run that an operation is about to end. */
const HELD: Readonly<Record<SandboxObservedState, boolean>> = {
  none: false,
  starting: true,
  running: true,
  degraded: true,
  stopping: true,
  stopped: false,
  missing: false,
  deleted: false,
};

/** The operation has succeeded with it. Repeated after a lost answer it changes nothing. */
async function lastStep(
  ports: ControlActivityPorts,
  name: StepName,
  input: StepInput,
  work: (sandbox: Sandbox) => Promise<void>,
): Promise<void> {
  const { sandboxes, operations, wake } = ports;
  if ((await operations.get(input.operationId)).state === 'succeeded') return;
  await recordedStep(ports, name, input, async () => work(await sandboxes.get(input.sandboxId)));
  await operations.move(input.operationId, ['running'], 'succeeded');
  wake.wake(`operation:${input.operationId}`);
  wake.wake(`sandbox:${input.sandboxId}`);
}

async function observe(
  { sandboxes, wake }: ControlActivityPorts,
  input: StepInput,
  { generation, containerId }: Sandbox,
  observedState: SandboxObservedState,
): Promise<void> {
  const seen = { generation, containerId, observedState, failure: null };
  await sandboxes.observeByOperation(input.sandboxId, input.operationId, seen);
  wake.wake(`sandbox:${input.sandboxId}`);
}

async function continueQueue({ execs, runs }: ControlActivityPorts, id: Sandbox['id']): Promise<void> {
  for (const exec of await execs.listStartable(id)) await runs.wakeExec(exec);
}

/** By the clock of Temporal, which has said until when: the one of this machine may have been put forward meanwhile. */
function timeLeftMs(untilMs: number): number {
  return untilMs - Context.current().info.currentAttemptScheduledTimestampMs;
}

async function untilNoneIsLive(
  { execs }: ControlActivityPorts,
  id: Sandbox['id'],
  waitMs: number,
): Promise<void> {
  const giveUpAt = performance.now() + waitMs;
  const backoff = new Backoff();
  for (;;) {
    const live = (await execs.listUnended(id)).filter(({ state }) => state !== 'queued');
    if (live.length === 0) return;
    if (performance.now() > giveUpAt) {
      throw new DomainError(
        'invalid_state',
        `${live.length} execs still ran when the time to wait was over.`,
      );
    }
    await backoff.pause(Context.current().cancellationSignal);
  }
}

async function withdrawQueued({ execs, runs, wake }: ControlActivityPorts, id: Sandbox['id']): Promise<void> {
  const end = notStartedEnd({ code: 'sandbox_deleted', message: 'Its sandbox was deleted.' });
  const queued = (await execs.listUnended(id)).filter(({ state }) => state === 'queued');
  for (const exec of queued) {
    if (await execs.end(exec.id, ['queued'], end)) wake.wake(`exec:${exec.id}`);
    // Its run looks at the row and ends with it.
    await runs.wakeExec(exec.id);
  }
}
