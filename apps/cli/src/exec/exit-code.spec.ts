import { describe, expect, test } from '@jest/globals';
import type { ExecState } from '#domain';
import { exitCodeOf } from './exit-code.js';

const CASES: readonly (readonly [ExecState, number | null, string | null, number])[] = [
  ['succeeded', 0, null, 0],
  ['failed', 1, null, 1],
  ['failed', 255, null, 255],
  ['failed', null, 'SIGKILL', 137],
  ['failed', null, 'SIGTERM', 143],
  ['failed', null, 'SIGUNHEARDOF', 255],
  ['canceled', null, 'SIGTERM', 130],
  ['timed_out', null, 'SIGKILL', 124],
  ['output_limited', null, 'SIGKILL', 123],
  ['oom_killed', null, 'SIGKILL', 137],
  ['not_started', null, null, 126],
  ['lost', null, null, 125],
  ['running', null, null, 255],
];

describe('the exit code of `berth exec`', () => {
  test.each(CASES)('%s with code %s and signal %s is %i', (state, exitCode, signal, expected) => {
    expect(exitCodeOf({ state, exitCode, signal })).toBe(expected);
  });

  test.each([
    ['command_not_found', 127],
    ['command_not_executable', 126],
    ['working_directory_invalid', 126],
  ])('not_started because of %s is %i', (startFailureCode, expected) => {
    expect(exitCodeOf({ state: 'not_started', exitCode: null, signal: null, startFailureCode })).toBe(
      expected,
    );
  });
});
