import { ApplicationFailure } from '@temporalio/common';
import { stepBegun, stepEnded, type OperationStore, type StepName, type StepRecord } from '#domain';
import type { StageFailureDetail, StageInput, StepInput } from '../contract.js';

type DoStep = (input: StepInput) => Promise<void>;

/**
 * Several steps of a run, one after the other, each recorded as it would be alone. What an attempt before this one has done
 * is not done again. A failure says which step it is of, and what has succeeded before it.
 */
export async function doStage(
  operations: Pick<OperationStore, 'get'>,
  doStep: Readonly<Partial<Record<StepName, DoStep>>>,
  { steps, ...ref }: StageInput,
): Promise<StepRecord[]> {
  const names: readonly string[] = steps;
  const { steps: recorded } = await operations.get(ref.operationId);
  let done = recorded.filter(({ name, state }) => names.includes(name) && state === 'succeeded');
  for (const step of steps) {
    const attempt = doStep[step];
    if (attempt === undefined) throw new TypeError(`No stage has the step ${step}.`);
    if (done.some(({ name }) => name === step)) continue;
    const startedAt = new Date().toISOString();
    await ofStep({ step, done }, () => attempt(ref));
    done = stepEnded(stepBegun(done, step, startedAt), step, new Date().toISOString(), null);
  }
  return done;
}

async function ofStep(detail: StageFailureDetail, attempt: () => Promise<void>): Promise<void> {
  try {
    await attempt();
  } catch (error) {
    if (!(error instanceof ApplicationFailure)) throw error;
    const { message, type, nonRetryable } = error;
    throw ApplicationFailure.create({
      message,
      type: type ?? 'internal',
      nonRetryable: nonRetryable ?? false,
      details: [detail],
      cause: error,
    });
  }
}
