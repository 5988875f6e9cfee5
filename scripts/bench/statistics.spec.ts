import { describe, expect, test } from '@jest/globals';
import { ratioOf, summaryOf } from './statistics.js';

describe('the summary of measurements', () => {
  test('takes nearest-rank percentiles whatever the order', () => {
    const durations = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(summaryOf(durations)).toEqual({ count: 100, p50: 50, p95: 95, min: 1, max: 100 });
  });

  test('summarises a single measurement and refuses none', () => {
    expect(summaryOf([3.14159])).toEqual({ count: 1, p50: 3.14, p95: 3.14, min: 3.14, max: 3.14 });
    expect(() => summaryOf([])).toThrow(RangeError);
  });

  test('compares medians', () => {
    expect(ratioOf(summaryOf([10, 20, 30]), summaryOf([40, 80, 90]))).toBe(0.25);
  });
});
