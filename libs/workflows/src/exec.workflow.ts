import {
  ActivityFailure,
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  log,
  patched,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  TimeoutFailure,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { ControlActivities, ExecActivities, HostActivities } from '#activities';
import { limits } from '#domain';
import { OP_STATE } from './attributes.js';
import {
  CANCEL_SIGNAL,
  CONTROL_TASK_QUEUE,
  hostExecTaskQueue,
  hostTaskQueue,
  WAKE_SIGNAL,
  type ExecInput,
  type ExecResult,
} from './contract.js';

export const wakeSignal = defineSignal(WAKE_SIGNAL);
export const cancelSignal = defineSignal(CANCEL_SIGNAL);

const HEARTBEAT_TIMEOUT = '12s';
/** Runs from before it grow until they end. */
const CONTINUES_AS_NEW = 'exec-continues-as-new';
/** A wake-up can be lost with the process that would have sent it. */
const RECHECK_MS = 30_000;

/**
 * One command in a sandbox, from its queue to its end: wait for the turn, let the host run it, give it up when its own
 * deadline has passed. It never carries output, and it never runs a command again: what starts it is the host's claim.
 */
export async function exec(input: ExecInput): Promise<ExecResult> {
  const run = new ExecRun(input);
  setHandler(wakeSignal, () => run.wake());
  setHandler(cancelSignal, () => run.cancel());
  CancellationScope.current().cancelRequested.catch(() => run.cancel());

  return await CancellationScope.nonCancellable(async () => {
    const canceling = run.cancelWhenAsked();
    const result = (await run.endBefore()) ?? (await run.toTheEnd());
    if (result === 'too_long') return await continueAsNew<typeof exec>(input);
    run.stopListening();
    await canceling;
    if (result.state !== 'succeeded' || !input.looksFirst) {
      upsertSearchAttributes([{ key: OP_STATE, value: result.state }]);
    }
    return result;
  });
}

class ExecRun {
  private woken = false;
  private cancelAsked = false;
  private ended = false;
  private readonly ref: { execId: ExecInput['execId'] };
  private readonly control: ControlActivities;
  private readonly host: HostActivities;
  /** Past this moment the runner itself must have ended the command, which it times by a clock that never jumps. */
  private readonly deadlineMs: number;

  constructor(private readonly input: ExecInput) {
    this.ref = { execId: input.execId };
    const slackMs = limits.EXEC_END_GRACE_MS + (input.clockSlackMs ?? 0);
    this.deadlineMs = input.queueDeadlineMs + input.timeoutSeconds * 1_000 + slackMs;
    this.control = proxyActivities<ControlActivities>({
      taskQueue: CONTROL_TASK_QUEUE,
      startToCloseTimeout: '30s',
    });
    this.host = proxyActivities<HostActivities>({
      taskQueue: hostTaskQueue(input.hostId),
      startToCloseTimeout: '60s',
      heartbeatTimeout: HEARTBEAT_TIMEOUT,
      scheduleToCloseTimeout: this.deadlineMs - input.queueDeadlineMs + limits.EXEC_END_GRACE_MS,
    });
  }

  wake(): void {
    this.woken = true;
  }

  cancel(): void {
    this.cancelAsked = true;
  }

  stopListening(): void {
    this.ended = true;
  }

  /** The end of an exec that its host was quicker with than this run; in this very Workflow Task. */
  async endBefore(): Promise<ExecResult | undefined> {
    if (!this.input.looksFirst) return undefined;
    const { lookAtExec } = proxyLocalActivities<ControlActivities>({
      startToCloseTimeout: '10s',
      localRetryThreshold: '10s',
    });
    const seen = await lookAtExec(this.ref);
    return seen.kind === 'ended' ? { state: seen.state, exitCode: seen.exitCode } : undefined;
  }

  /** `too_long`: it has waited for days, each look is in its history, and the next one begins a new one. */
  async toTheEnd(): Promise<ExecResult | 'too_long'> {
    for (;;) {
      this.woken = false;
      const outcome = await this.runOnHost();
      if (outcome?.kind === 'ended') return { state: outcome.state, exitCode: outcome.exitCode };
      if (outcome?.kind === 'waiting') await condition(() => this.woken, this.waitMs());
      if (this.isTooLong) return 'too_long';
      if (Date.now() < this.input.queueDeadlineMs) continue;
      const expired = await this.expire();
      if (expired.kind === 'ended') return { state: expired.state, exitCode: expired.exitCode };
    }
  }

  /** Undefined: the host did not take it, or lost it, in time. */
  private async runOnHost() {
    const remainingMs = Math.max(this.deadlineMs - Date.now(), limits.EXEC_END_GRACE_MS);
    const { runExec } = proxyActivities<ExecActivities>({
      taskQueue: hostExecTaskQueue(this.input.hostId),
      heartbeatTimeout: HEARTBEAT_TIMEOUT,
      startToCloseTimeout: remainingMs,
      scheduleToCloseTimeout: remainingMs,
      scheduleToStartTimeout: Math.max(this.input.queueDeadlineMs - Date.now(), limits.EXEC_END_GRACE_MS),
      retry: { initialInterval: '200ms', maximumInterval: '10s' },
    });
    try {
      return await runExec(this.ref);
    } catch (error) {
      if (!isTimeout(error)) throw error;
      log.warn('The host did not answer in time.');
      return undefined;
    }
  }

  /** After the time in the queue: withdraw it if nobody claimed it, or give it up if its own deadline has passed too. */
  private async expire() {
    const withdrawn = await this.control.withdrawExec({ ...this.ref, as: 'not_started' });
    if (withdrawn.kind === 'ended' || Date.now() < this.deadlineMs) return withdrawn;
    return await this.control.giveUpExec({
      ...this.ref,
      note: 'Its host did not report an end before the deadline.',
    });
  }

  /** One that fails must not fail the run, which has the end of the exec to wait for: it is asked for again by the sweep. */
  async cancelWhenAsked(): Promise<void> {
    for (;;) {
      await condition(() => this.cancelAsked || this.ended);
      if (this.ended) return;
      try {
        const withdrawn = await this.control.withdrawExec({ ...this.ref, as: 'canceled' });
        if (withdrawn.kind === 'live') await this.host.cancelExec(this.ref);
        this.wake();
        return;
      } catch (error) {
        log.warn('The exec could not be canceled.', { error });
        this.cancelAsked = false;
      }
    }
  }

  /** Whoever is just being told to cancel is not left. */
  private get isTooLong(): boolean {
    return workflowInfo().continueAsNewSuggested && !this.cancelAsked && patched(CONTINUES_AS_NEW);
  }

  private waitMs(): number {
    return Math.max(0, Math.min(RECHECK_MS, this.input.queueDeadlineMs - Date.now()));
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof ActivityFailure && error.cause instanceof TimeoutFailure;
}
