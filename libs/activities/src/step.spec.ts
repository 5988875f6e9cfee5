import { describe, expect, it } from '@jest/globals';
import { DomainError } from '#domain';
import { SuspendedError } from './exec/reach.js';
import { throughOutages } from './step.js';

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
