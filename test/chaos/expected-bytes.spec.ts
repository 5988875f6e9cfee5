import { describe, expect, it } from '@jest/globals';
import { ExpectedStream } from './expected-bytes.js';
import { Random } from './random.js';

describe('the bytes that a program writes', () => {
  const stream = new ExpectedStream(7, 'stdout', false);
  const whole = stream.bytes(0, 20_000);

  it('are the same from wherever they are asked for', () => {
    for (const [from, length] of [
      [0, 1],
      [4_095, 2],
      [4_096, 4_096],
      [9_999, 10_001],
    ] as const) {
      expect(stream.bytes(from, length)).toEqual(whole.subarray(from, from + length));
    }
  });

  it('differ between streams, seeds and blocks', () => {
    expect(new ExpectedStream(7, 'stderr', false).bytes(0, 64)).not.toEqual(whole.subarray(0, 64));
    expect(new ExpectedStream(8, 'stdout', false).bytes(0, 64)).not.toEqual(whole.subarray(0, 64));
    expect(whole.subarray(0, 4_096)).not.toEqual(whole.subarray(4_096, 8_192));
  });

  it('are letters as text', () => {
    expect(new ExpectedStream(7, 'stdout', true).bytes(100, 5_000).toString('latin1')).toMatch(/^[@-_]+$/);
  });

  it('tell where others begin to differ', () => {
    const wrong = Buffer.from(whole.subarray(100, 9_000));
    wrong[5_000] = (wrong[5_000] ?? 0) ^ 1;
    expect(stream.firstDifference(100, Buffer.from(whole.subarray(100, 9_000)))).toBeUndefined();
    expect(stream.firstDifference(100, wrong)).toBe(5_100);
  });
});

describe('a seed', () => {
  it('gives the same numbers again, and each purpose its own', () => {
    const numbers = (random: Random): number[] => Array.from({ length: 5 }, () => random.integer(1, 1_000));
    expect(numbers(new Random('s'))).toEqual(numbers(new Random('s')));
    expect(numbers(new Random('s').fork('a'))).not.toEqual(numbers(new Random('s').fork('b')));
  });
});
