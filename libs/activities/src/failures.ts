import { ApplicationFailure } from '@temporalio/common';
import { DomainError, type ErrorCode } from '#domain';

/** What may have been the engine's fault, and not that of what it was asked. */
const OF_THE_ENGINE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['container_failed', 'runner_protocol']);

/**
 * Activities throw these: the type is the code, and what will not pass by itself is not retried. What the engine failed
 * to do is tried again a few times all the same: that costs seconds, and a parked run costs a person.
 */
export function activityFailureFrom(error: unknown): unknown {
  if (!(error instanceof DomainError)) return error;
  return ApplicationFailure.create({
    type: error.code,
    message: error.message,
    nonRetryable: !error.transient && !OF_THE_ENGINE.has(error.code),
    details: error.dependency ? [{ dependency: error.dependency }] : [],
  });
}

/** Wraps each function of a set of Activities so that expected failures leave it as ApplicationFailure. */
export function translated<Activities extends object>(activities: Activities): Activities {
  const entries = Object.entries(activities).map(([name, run]) => [
    name,
    async (...input: unknown[]): Promise<unknown> => {
      try {
        return await (run as (...input: unknown[]) => Promise<unknown>)(...input);
      } catch (error) {
        throw activityFailureFrom(error);
      }
    },
  ]);
  return Object.fromEntries(entries) as Activities;
}
