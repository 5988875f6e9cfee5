import { describe, expect, it } from '@jest/globals';
import {
  BULK_CONTROLS,
  BULK_ITEM_STATES,
  BULK_TRANSITIONS,
  canMove,
  controlled,
  controlOf,
  decideControl,
  endOfBulk,
  limits,
  ownControl,
  type Bulk,
  type BulkControl,
  type BulkCounts,
  type BulkState,
} from '../index.js';

const NOW = Date.parse('2026-01-01T00:00:00.000Z');
const STATES = Object.keys(BULK_TRANSITIONS) as BulkState[];
const CONTROLS: readonly BulkControl[] = [
  { control: 'pause' },
  { control: 'resume' },
  { control: 'cancel' },
  { control: 'retry_failed', round: 1 },
];
const counts = (some: Partial<BulkCounts> = {}): BulkCounts => ({
  ...(Object.fromEntries(BULK_ITEM_STATES.map((state) => [state, 0])) as unknown as BulkCounts),
  ...some,
});
const bulk = (change: Partial<Bulk> = {}): Bulk =>
  ({
    state: 'running',
    round: 1,
    pauseNo: 0,
    pause: null,
    failureBudget: null,
    failuresForgiven: 0,
    counts: counts(),
    ...change,
  }) as Bulk;

describe('what is told to a bulk operation', () => {
  it('leads to a state that may follow, wherever it is allowed', () => {
    for (const state of STATES) {
      for (const asked of CONTROLS) {
        const before = bulk({ state });
        const isAllowed = BULK_CONTROLS[state].includes(asked.control);
        expect(decideControl(before, asked) === 'apply').toBe(isAllowed);
        const after = controlled(before, asked, NOW).state;
        if (isAllowed && after !== state) expect(canMove(BULK_TRANSITIONS, state, after)).toBe(true);
      }
    }
  });

  it('is no other than what was told before, when it is told again', () => {
    expect(decideControl(bulk({ state: 'paused' }), { control: 'pause' })).toBe('so_already');
    expect(decideControl(bulk({ state: 'running' }), { control: 'resume' })).toBe('so_already');
    expect(decideControl(bulk({ state: 'canceling' }), { control: 'cancel' })).toBe('so_already');
    expect(decideControl(bulk({ state: 'succeeded' }), { control: 'cancel' })).toBe('refused');
  });

  it('is stale for another pause or another round', () => {
    const paused = bulk({ state: 'paused', pauseNo: 2, round: 3 });
    expect(decideControl(paused, { control: 'resume', pauseNo: 1 })).toBe('stale');
    expect(decideControl(paused, { control: 'resume', pauseNo: 2 })).toBe('apply');
    expect(decideControl(paused, { control: 'retry_failed', round: 2 })).toBe('stale');
    expect(decideControl(paused, { control: 'retry_failed', round: 3 })).toBe('apply');
  });

  it('leaves a pause as it is where it is a retry', () => {
    const paused = { ...bulk(), ...controlled(bulk(), { control: 'pause' }, NOW) };
    expect(paused.pause).toMatchObject({ pauseNo: 1, reason: null });
    expect(controlled(paused, { control: 'retry_failed', round: 1 }, NOW)).toMatchObject({
      state: 'paused',
      pause: paused.pause,
    });
  });
});

describe('a signal', () => {
  it('means the pause that was seen when it came, unless it names one', () => {
    expect(controlOf('resume', undefined, { pauseNo: 4 })).toEqual({ control: 'resume', pauseNo: 4 });
    expect(controlOf('resume', { pauseNo: 3 }, { pauseNo: 4 })).toEqual({ control: 'resume', pauseNo: 3 });
  });

  it('that makes no sense has no effect', () => {
    for (const given of [undefined, null, 7, {}, { round: '1' }, { round: 1, sandboxIds: ['../x'] }]) {
      expect(controlOf('retry_failed', given, { pauseNo: 0 })).toBeUndefined();
    }
    expect(controlOf('resume', { pauseNo: 'x' }, { pauseNo: 0 })).toBeUndefined();
    const sandboxIds = ['0190b0a0-0000-7000-8000-000000000001'];
    expect(controlOf('retry_failed', { round: 1, sandboxIds }, { pauseNo: 0 })).toEqual({
      control: 'retry_failed',
      round: 1,
      sandboxIds,
    });
  });
});

describe('the limits of a bulk operation', () => {
  it('pause it when more has failed than its budget, since it was last resumed', () => {
    const spent = bulk({ failureBudget: 1, counts: counts({ failed: 2, pending: 1 }) });
    expect(ownControl(spent, NOW)).toMatchObject({
      control: 'pause',
      reason: { code: 'failure_budget_spent' },
    });
    expect(ownControl({ ...spent, failuresForgiven: 1 }, NOW)).toBeUndefined();
    expect(ownControl({ ...spent, failureBudget: null }, NOW)).toBeUndefined();
    expect(ownControl({ ...spent, state: 'canceling' }, NOW)).toBeUndefined();
    expect(ownControl({ ...spent, counts: counts({ failed: 2 }) }, NOW)).toBeUndefined();
  });

  it('cancel a pause that nobody has ended', () => {
    const paused = { ...bulk(), ...controlled(bulk(), { control: 'pause' }, NOW) };
    expect(ownControl(paused, NOW + limits.PARK_DEADLINE_MS - 1)).toBeUndefined();
    expect(ownControl(paused, NOW + limits.PARK_DEADLINE_MS)).toMatchObject({ control: 'cancel' });
  });
});

describe('the end of a bulk operation', () => {
  it('is there when nothing is left to do', () => {
    expect(endOfBulk('running', counts({ succeeded: 3 }))).toBe('succeeded');
    expect(endOfBulk('running', counts({ succeeded: 3, skipped_busy: 1 }))).toBe('failed');
    expect(endOfBulk('running', counts({ succeeded: 3, failed: 1 }))).toBe('failed');
    expect(endOfBulk('canceling', counts({ canceled: 3 }))).toBe('canceled');
    expect(endOfBulk('running', counts())).toBe('succeeded');
  });

  it('is not there while something is, or while it is paused', () => {
    expect(endOfBulk('running', counts({ pending: 1 }))).toBeUndefined();
    expect(endOfBulk('canceling', counts({ running: 1 }))).toBeUndefined();
    expect(endOfBulk('paused', counts({ succeeded: 1 }))).toBeUndefined();
    for (const state of ['succeeded', 'failed', 'canceled'] as const) {
      expect(endOfBulk(state, counts())).toBeUndefined();
    }
  });
});
