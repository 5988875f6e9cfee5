import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { CancelledFailure } from '@temporalio/common';
import { DomainError, limits, operationId, sandboxId, type Failure } from '#domain';
import { SuspendedError } from './exec/reach.js';
import { recordedStep, throughOutages, withAttemptsCounted } from './step.js';

const away = (dependency: 'postgres' | 'docker'): DomainError =>
  new DomainError('dependency_unavailable', 'It does not answer.', { dependency });

/** Fails with each of these in turn, then succeeds. */
function failing(...errors: Error[]): {
  readonly attempt: () => Promise<void>;
  readonly count: () => number;
} {
  let count = 0;
  return {
    attempt: () => {
      const error = errors[count++];
      return error === undefined ? Promise.resolve() : Promise.reject(error);
    },
    count: () => count,
  };
}

describe('a step', () => {
  const { signal } = new AbortController();

  it('waits until what it needs is back, whatever that is', async () => {
    const { attempt, count } = failing(away('postgres'), away('docker'), new SuspendedError('paused'));
    await throughOutages(signal, attempt);
    expect(count()).toBe(4);
  });

  it.each([
    new DomainError('image_missing', 'No such image.'),
    new DomainError('runner_unreachable', 'It is silent.'),
    new TypeError('A bug.'),
  ])('does not wait on what does not pass by itself: %p', async (error) => {
    const { attempt, count } = failing(error);
    await expect(throughOutages(signal, attempt)).rejects.toBe(error);
    expect(count()).toBe(1);
  });

  it('stops waiting when its worker shuts down', async () => {
    const shutdown = new AbortController();
    const waiting = throughOutages(shutdown.signal, () => Promise.reject(away('docker')));
    const reason = new Error('The worker shuts down.');
    shutdown.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});

describe('the row of a step', () => {
  it.each([
    [new CancelledFailure('Somebody gave it up.'), 'invalid_state', 'This attempt was canceled.'],
    [new DomainError('image_missing', 'No such image.'), 'image_missing', 'No such image.'],
    [new TypeError('A bug.'), 'internal', 'An internal error.'],
  ])('says why an attempt ended: %p', async (error, code, message) => {
    const told: (Failure | null)[] = [];
    const operations = {
      beginStep: () => Promise.resolve(),
      endStep: (_id: unknown, _name: string, _at: string, failure: Failure | null) => {
        told.push(failure);
        return Promise.resolve();
      },
    };
    const input = { operationId: operationId(randomUUID()), sandboxId: sandboxId(randomUUID()) };
    const step = recordedStep({ operations, wake: { wake: () => undefined } }, 'stop_container', input, () =>
      Promise.reject(error),
    );
    await expect(step).rejects.toBe(error);
    expect(told).toEqual([{ code, message }]);
  });
});

describe('the attempts of a step', () => {
  const fails = (error: Error) => () => Promise.reject(error);
  const silent = new DomainError('runner_unreachable', 'It is silent.');

  it('are repeated while they are few', async () => {
    const attempt = withAttemptsCounted(limits.STEP_ATTEMPTS_MAX - 1, fails(silent));
    await expect(attempt).rejects.toMatchObject({ type: 'runner_unreachable', nonRetryable: false });
  });

  it('end with a failure of the step itself, whoever lost the ones before', async () => {
    const attempt = withAttemptsCounted(limits.STEP_ATTEMPTS_MAX, fails(silent));
    await expect(attempt).rejects.toMatchObject({ type: 'runner_unreachable', nonRetryable: true });
  });

  it('leave a cancellation what it is', async () => {
    const canceled = new CancelledFailure('The worker shuts down.');
    const attempt = withAttemptsCounted(limits.STEP_ATTEMPTS_MAX, fails(canceled));
    await expect(attempt).rejects.toBe(canceled);
  });
});
