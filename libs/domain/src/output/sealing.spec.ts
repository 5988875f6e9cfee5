import { PACK_BYTES_ENOUGH, PACK_EXECS_ENOUGH, PACK_WAIT_MS } from '../limits.js';
import { isPackDue } from './sealing.js';

describe('a pack of small outputs', () => {
  const few = { count: 2, bytes: 100, oldestMs: 1 };

  it('is made of many, of much, or of what has waited for long enough', () => {
    expect(isPackDue({ ...few, count: PACK_EXECS_ENOUGH })).toBe(true);
    expect(isPackDue({ ...few, bytes: PACK_BYTES_ENOUGH })).toBe(true);
    expect(isPackDue({ ...few, oldestMs: PACK_WAIT_MS })).toBe(true);
  });

  it('waits for others otherwise, and is never empty', () => {
    expect(isPackDue(few)).toBe(false);
    expect(isPackDue({ count: 0, bytes: 0, oldestMs: PACK_WAIT_MS })).toBe(false);
  });
});
