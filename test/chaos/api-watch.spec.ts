import { describe, expect, it } from '@jest/globals';
import { readTimesOf } from './api-watch.js';
import type { Injury } from './injury.js';

const injury = (atMs: number, untilMs: number): Injury => ({
  number: 1,
  target: 'api',
  mode: 'kill',
  atMs,
  untilMs,
  sandboxId: undefined,
  execKey: undefined,
  detail: '',
});

describe('reads of the API', () => {
  it('are told apart by whether they began before the first injury, soon after one, or soon after the last', () => {
    const reads = [0, 999, 1_500, 3_000, 40_000, 71_000, 80_000, 101_000].map((atMs) => ({
      atMs,
      tookMs: atMs / 1_000,
    }));
    const injuries = [injury(1_000, 2_000), injury(70_500, 70_900)];
    expect(readTimesOf(reads, injuries, 71_000)).toEqual({
      before: [0, 0.999],
      between: [3],
      after: [71, 80],
    });
  });
});
