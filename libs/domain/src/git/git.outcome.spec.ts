import { describe, expect, it } from '@jest/globals';
import { DomainError, gitFailureOf, gitOutcomeOf, gitProgressOf, gitResultOf, limits } from '../index.js';

const result = (value: object) => gitResultOf({ outcome: 'pushed', ...value });

describe('what came of git', () => {
  it('is read as data of somebody else: bounded, and only what is known', () => {
    const long = 'x'.repeat(limits.GIT_TEXT_LENGTH_MAX + 1);
    expect(result({ message: long, branch: 7, extra: 'y', commit: 'a\u0000b' })).toEqual({
      outcome: 'pushed',
      message: long.slice(1),
      branch: null,
      commit: 'ab',
      compared: false,
      remoteText: null,
      number: null,
      url: null,
    });
    const half = result({ message: `${'x'.repeat(limits.GIT_TEXT_LENGTH_MAX - 1)}\u{1f680}` })?.message;
    expect(half?.isWellFormed()).toBe(true);
    for (const none of [undefined, null, 'x', [], {}, { outcome: 'constructor' }, { outcome: 7 }]) {
      expect(gitResultOf(none)).toBeUndefined();
    }
  });

  it('is a failure with a code where it did not come about, and only two pass by themselves', () => {
    const all = [
      'network',
      'busy',
      'auth_failed',
      'remote_rejected',
      'too_large',
      'disk_full',
      'timed_out',
      'failed',
    ];
    const transient = all.filter((outcome) => {
      const failure = gitFailureOf(result({ outcome }) as never) as DomainError;
      expect(failure).toBeInstanceOf(DomainError);
      return failure.transient;
    });
    expect(transient).toEqual(['network', 'busy']);
    expect(gitFailureOf(result({}) as never)).toBeUndefined();
  });

  it('is kept beside what came before it', () => {
    const before = { outcome: 'committed', commit: 'a', branch: 'main' };
    expect(gitOutcomeOf(before, result({ outcome: 'auth_failed', message: 'no' }) as never)).toEqual({
      outcome: 'auth_failed',
      commit: 'a',
      branch: 'main',
      message: 'no',
    });
  });

  it('has percentages that are some', () => {
    expect(gitProgressOf({ phase: 'Receiving objects', percent: 7 })).toEqual({
      phase: 'Receiving objects',
      percent: 7,
    });
    for (const percent of [-1, 101, 1.5, '7', Number.NaN]) {
      expect(gitProgressOf({ phase: 'x', percent })).toBeUndefined();
    }
  });
});
