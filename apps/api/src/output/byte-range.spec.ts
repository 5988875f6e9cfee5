import { isDomainError } from '#domain';
import { rangeOf } from './byte-range.js';

describe('a byte range', () => {
  it.each([
    ['bytes=0-4', { from: 0, to: 5 }],
    ['bytes=5-', { from: 5, to: 10 }],
    ['bytes=9-99', { from: 9, to: 10 }],
    ['bytes=-3', { from: 7, to: 10 }],
    ['bytes=-99', { from: 0, to: 10 }],
  ])('%s of ten bytes', (header, range) => expect(rangeOf(header, 10)).toEqual(range));

  it.each([
    undefined,
    '',
    'bytes=',
    'bytes=-',
    'bytes=4-2',
    'bytes=0-1,3-4',
    'lines=1-2',
    'bytes=a-b',
    'bytes=1e3-',
  ])('%s is none, so the whole is sent', (header) => expect(rangeOf(header, 10)).toBeUndefined());

  it.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])('%s cannot be satisfied', (header) => {
    try {
      rangeOf(header, 10);
    } catch (error) {
      expect(isDomainError(error, 'range_not_satisfiable')).toBe(true);
      return;
    }
    throw new Error('It was accepted.');
  });
});
