import { describe, expect, it } from '@jest/globals';
import { judgeBulk, type BulkAction, type Effect, type JudgedBulk, type SeenItem } from './checker.js';

const item = (number: number, given: Partial<SeenItem> = {}): SeenItem => ({
  number,
  sandboxId: `s${number}`,
  state: 'succeeded',
  attempts: 1,
  failure: null,
  operationId: null,
  execId: null,
  ...given,
});

const effect = (number: number, given: Partial<Effect> = {}): Effect => ({
  sandboxId: `s${number}`,
  wasRunning: true,
  isRunning: true,
  births: 0,
  lines: 0,
  snapshots: 0,
  hits: 0,
  ...given,
});

function bulk(
  action: BulkAction,
  items: readonly SeenItem[],
  effects: readonly Effect[],
  given: Partial<JudgedBulk['bulk']> = {},
): JudgedBulk {
  const counts: Record<string, number> = { pending: 0, running: 0, succeeded: 0, failed: 0 };
  for (const { state } of items) counts[state] = (counts[state] ?? 0) + 1;
  return {
    bulk: {
      id: 'b1',
      action,
      state: items.every(({ state }) => state === 'succeeded') ? 'succeeded' : 'failed',
      round: 1,
      pause: null,
      failure: null,
      total: items.length,
      counts,
      createdAt: '2026-01-01T00:00:00.000Z',
      finishedAt: '2026-01-01T00:01:00.000Z',
      ...given,
    },
    items,
    sandboxIds: items.map(({ sandboxId }) => sandboxId),
    effects: new Map(effects.map((one) => [one.sandboxId, one])),
  };
}

const kindsOf = (judged: JudgedBulk): string[] => judgeBulk(judged).map(({ kind }) => kind);

describe('what a bulk operation did', () => {
  it('is right where each item has its effect once', () => {
    expect(kindsOf(bulk('restart', [item(1)], [effect(1, { births: 1 })]))).toEqual([]);
    expect(kindsOf(bulk('exec', [item(1)], [effect(1, { lines: 1 })]))).toEqual([]);
    expect(kindsOf(bulk('snapshot', [item(1)], [effect(1, { snapshots: 1 })]))).toEqual([]);
    expect(kindsOf(bulk('stop', [item(1)], [effect(1, { isRunning: false })]))).toEqual([]);
    expect(kindsOf(bulk('start', [item(1)], [effect(1, { wasRunning: false, births: 1 })]))).toEqual([]);
    expect(kindsOf(bulk('start', [item(1)], [effect(1)]))).toEqual([]);
  });

  it('is doubled where the effect is there more often than the item was begun', () => {
    expect(kindsOf(bulk('restart', [item(1)], [effect(1, { births: 2 })]))).toEqual(['done twice']);
    expect(kindsOf(bulk('exec', [item(1)], [effect(1, { lines: 2 })]))).toEqual(['done twice']);
    expect(kindsOf(bulk('snapshot', [item(1)], [effect(1, { snapshots: 2 })]))).toEqual(['done twice']);
    expect(kindsOf(bulk('start', [item(1)], [effect(1, { births: 1 })]))).toEqual(['done twice']);
    expect(kindsOf(bulk('stop', [item(1)], [effect(1, { isRunning: false, births: 1 })]))).toEqual([
      'done twice',
    ]);
    const failed = item(1, { state: 'failed', attempts: 1, failure: { code: 'x', message: 'x' } });
    expect(kindsOf(bulk('snapshot', [failed], [effect(1, { snapshots: 1 })]))).toEqual(['done twice']);
    const canceled = item(1, { state: 'canceled', attempts: 0 });
    const withLine = bulk('exec', [canceled], [effect(1, { lines: 1 })], { state: 'canceled' });
    expect(kindsOf(withLine)).toEqual(['done twice']);
  });

  it('may be there again for each attempt, and a restart for each kill', () => {
    const retried = item(1, { attempts: 2 });
    expect(kindsOf(bulk('exec', [retried], [effect(1, { lines: 2 })]))).toEqual([]);
    expect(kindsOf(bulk('restart', [item(1)], [effect(1, { births: 3, hits: 1 })]))).toEqual([]);
    expect(kindsOf(bulk('restart', [item(1)], [effect(1, { births: 4, hits: 1 })]))).toEqual(['done twice']);
    // A kill is no excuse for a command that ran twice.
    expect(kindsOf(bulk('exec', [item(1)], [effect(1, { lines: 2, hits: 9 })]))).toEqual(['done twice']);
  });

  it('is forgotten where an item succeeded without it', () => {
    expect(kindsOf(bulk('restart', [item(1)], [effect(1)]))).toEqual(['forgotten']);
    expect(kindsOf(bulk('exec', [item(1)], [effect(1, { hits: 3 })]))).toEqual(['forgotten']);
    expect(kindsOf(bulk('snapshot', [item(1)], [effect(1)]))).toEqual(['forgotten']);
    expect(kindsOf(bulk('start', [item(1)], [effect(1, { wasRunning: false })]))).toEqual(['forgotten']);
    expect(kindsOf(bulk('stop', [item(1)], [effect(1, { isRunning: true })]))).toEqual(['wrong state']);
  });
});

describe('the end of a bulk operation', () => {
  const effects = [effect(1, { lines: 1 }), effect(2, { lines: 1 })];

  it('is no end while one of its items has none', () => {
    const judged = bulk('exec', [item(1), item(2, { state: 'running' })], effects);
    expect(kindsOf(judged)).toEqual(['no end']);
  });

  it('needs a reason for each item that did not succeed', () => {
    const judged = bulk('exec', [item(1), item(2, { state: 'failed' })], effects);
    expect(kindsOf(judged)).toEqual(['no reason']);
  });

  it('agrees with its items', () => {
    const items = [item(1), item(2)];
    expect(kindsOf(bulk('exec', items, effects, { state: 'failed' }))).toEqual(['counts']);
    expect(kindsOf(bulk('exec', items, effects, { counts: { succeeded: 1 } }))).toEqual(['counts']);
    expect(kindsOf(bulk('exec', items, effects, { total: 3 }))).toEqual(['counts']);
  });

  it('has an item for each sandbox, and for each only one', () => {
    const one = bulk('exec', [item(1)], effects);
    expect(kindsOf({ ...one, sandboxIds: ['s1', 's2'] })).toEqual(['forgotten']);
    const doubled = bulk('exec', [item(1), item(2, { sandboxId: 's1' })], effects);
    expect(kindsOf({ ...doubled, sandboxIds: ['s1', 's2'] })).toEqual(['forgotten']);
  });
});
