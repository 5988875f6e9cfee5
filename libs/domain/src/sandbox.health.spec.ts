import { describe, expect, it } from '@jest/globals';
import { healthAfter, isSameCheck, NO_HEALTH, type Health, type HealthCheck } from './index.js';

const check: HealthCheck = {
  command: ['true'],
  http: null,
  intervalSeconds: 30,
  timeoutSeconds: 5,
  failuresMax: 3,
  startSeconds: 60,
};

/** One letter for each outcome: `o` is well, `x` is not. */
function after(outcomes: string): Health {
  let health = NO_HEALTH;
  for (const [index, letter] of outcomes.split('').entries()) {
    const outcome = { ok: letter === 'o', detail: `why ${index}` };
    health = healthAfter(health, outcome, check.failuresMax, String(index));
  }
  return health;
}

describe('the health of a sandbox', () => {
  it.each([
    ['', 'none', null, 0, null],
    ['o', 'healthy', '0', 0, null],
    ['xx', 'none', null, 2, 'why 1'],
    ['oxx', 'healthy', '0', 2, 'why 2'],
    ['oxxx', 'unhealthy', '3', 3, 'why 3'],
    ['oxxxx', 'unhealthy', '3', 4, 'why 4'],
    ['xxxo', 'healthy', '3', 0, null],
    ['oxxoxx', 'healthy', '0', 2, 'why 5'],
  ])('after %j is %s', (outcomes, status, since, consecutiveFailures, reason) => {
    expect(after(outcomes)).toEqual({ status, since, consecutiveFailures, reason });
  });

  it('is the same object where there is nothing to write', () => {
    const healthy = after('o');
    expect(healthAfter(healthy, { ok: true, detail: '' }, 3, '9')).toBe(healthy);
  });
});

describe('two checks', () => {
  it('are the same in whatever order the database gives their members', () => {
    const turned = Object.fromEntries(Object.entries(check).toReversed()) as unknown as HealthCheck;
    expect(isSameCheck(check, turned)).toBe(true);
    expect(isSameCheck(check, { ...check, intervalSeconds: 31 })).toBe(false);
    expect(isSameCheck(check, null)).toBe(false);
    expect(isSameCheck(null, null)).toBe(true);
  });
});
