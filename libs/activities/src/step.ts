import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { failureFrom, isAway, limits, type Failure, type OperationStore, type WakeSender } from '#domain';
import type { StepInput } from './contract.js';
import { SuspendedError } from './exec/reach.js';
import { activityFailureFrom } from './failures.js';
import { Backoff } from './patience.js';

/** An outage that lasts longer than this is for people to look at. */
export const OUTAGE_MS_MAX = 10 * 60 * 1_000;

/** What an attempt needs of the rows: it writes, and what it is answered is for others. */
type StepRows = {
  readonly [Name in 'beginStep' | 'endStep']: (
    ...input: Parameters<OperationStore[Name]>
  ) => Promise<unknown>;
};

/** Runs one attempt of a step of an operation and writes its beginning, its end and its failure on the operation's row. */
export async function recordedStep(
  ports: { readonly operations: StepRows; readonly wake: WakeSender },
  name: string,
  input: StepInput,
  work: () => Promise<void>,
): Promise<void> {
  const { operations, wake } = ports;
  const topic = `operation:${input.operationId}` as const;
  await operations.beginStep(input.operationId, name, new Date().toISOString());
  wake.wake(topic);
  try {
    await work();
  } catch (error) {
    await operations.endStep(input.operationId, name, new Date().toISOString(), toldFailure(error));
    wake.wake(topic);
    throw error;
  }
  await operations.endStep(input.operationId, name, new Date().toISOString(), null);
  wake.wake(topic);
}

/** A canceled attempt is no fault of anything: somebody gave the run up, or the worker that had it shuts down. */
const toldFailure = (error: unknown): Failure =>
  error instanceof CancelledFailure
    ? { code: 'invalid_state', message: 'This attempt was canceled.' }
    : failureFrom(error);

/**
 * Repeats an attempt for as long as something that it needs is away: the database, the engine, a container that
 * somebody has paused. That passes by itself, so it is no failure of the step and must not park the run.
 */
export async function throughOutages(signal: AbortSignal, attempt: () => Promise<void>): Promise<void> {
  const giveUpAt = performance.now() + OUTAGE_MS_MAX;
  const backoff = new Backoff();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isOutage(error) || performance.now() > giveUpAt) throw error;
      await backoff.pause(signal);
    }
  }
}

/**
 * Makes the failure of a late attempt final, so that the run parks. The count is kept here and not in the retry policy,
 * which would count attempts that died with their worker, too.
 */
export async function withAttemptsCounted<T>(attemptNo: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const failure = activityFailureFrom(error);
    if (attemptNo < limits.STEP_ATTEMPTS_MAX || failure instanceof CancelledFailure) throw failure;
    throw ApplicationFailure.fromError(failure, { nonRetryable: true });
  }
}

const isOutage = (error: unknown): boolean => isAway(error) || error instanceof SuspendedError;
