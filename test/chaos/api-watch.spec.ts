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
  it('are told apart by whether they began before the first injury, soon after one, soon after the last, or later', () => {
    const reads = [0, 999, 1_500, 3_000, 40_000, 71_000, 80_000, 101_000, 130_000].map((atMs) => ({
      atMs,
      tookMs: atMs / 1_000,
      machineMs: 1,
    }));
    const injuries = [injury(1_000, 2_000), injury(70_500, 70_900)];
    const { before, between, after, later } = readTimesOf(reads, injuries, {
      healedAtMs: 71_000,
      landedAtMs: 130_000,
    });
    expect([before, between, after, later].map(({ api }) => api)).toEqual([[0, 0.999], [3], [71, 80], [101]]);
    expect(before.machine).toEqual([1, 1]);
  });
});
