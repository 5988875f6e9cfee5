import { RestartPolicy } from './restart-policy.js';

const EARLY_MS = 100;
const LATE_MS = 60_000;

describe('the restart of a component', () => {
  it('is immediate after a long life', () => {
    expect(new RestartPolicy().onDeath(LATE_MS)).toEqual({ delayMs: 0, isLoud: false });
  });

  it('waits longer after each early death, up to a limit, and becomes loud', () => {
    const policy = new RestartPolicy();
    const decisions = Array.from({ length: 10 }, () => policy.onDeath(EARLY_MS));
    expect(decisions.map(({ delayMs }) => delayMs)).toEqual([
      0, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 30_000, 30_000,
    ]);
    expect(decisions.map(({ isLoud }) => isLoud).indexOf(true)).toBe(2);
  });

  it('stays within a second for the first deaths', () => {
    const policy = new RestartPolicy();
    expect(policy.onDeath(EARLY_MS).delayMs + policy.onDeath(EARLY_MS).delayMs).toBeLessThan(1_000);
  });

  it('forgets early deaths after a long life', () => {
    const policy = new RestartPolicy();
    for (let death = 0; death < 5; death++) policy.onDeath(EARLY_MS);
    expect(policy.onDeath(LATE_MS).delayMs).toBe(0);
    expect(policy.onDeath(EARLY_MS).delayMs).toBe(0);
  });
});
