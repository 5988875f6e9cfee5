import { describe, expect, it } from '@jest/globals';
import {
  canMove,
  EXEC_ACTIONS,
  EXEC_TRANSITIONS,
  isTerminal,
  liveStates,
  OPERATION_ACTIONS,
  OPERATION_TRANSITIONS,
  SANDBOX_ACTIONS,
  SANDBOX_TRANSITIONS,
  statesBefore,
  terminalStates,
  type TransitionTable,
} from './index.js';

const MACHINES = [
  ['exec', EXEC_TRANSITIONS, 'queued', EXEC_ACTIONS],
  ['operation', OPERATION_TRANSITIONS, 'pending', OPERATION_ACTIONS],
  ['sandbox', SANDBOX_TRANSITIONS, 'none', SANDBOX_ACTIONS],
] as const;

function reachableFrom(table: TransitionTable<string>, start: string): Set<string> {
  const seen = new Set([start]);
  const open = [start];
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    for (const next of table[state] ?? []) {
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(next);
    }
  }
  return seen;
}

describe.each(MACHINES)('the states of a %s', (_name, transitions, first, actions) => {
  const table: TransitionTable<string> = transitions;
  const states = Object.keys(table);

  it('can all be reached from the first', () => {
    expect([...reachableFrom(table, first)].toSorted()).toEqual(states.toSorted());
  });

  it('can all reach an end', () => {
    const ends = terminalStates(table);
    for (const state of states) {
      expect(ends.some((end) => reachableFrom(table, state).has(end))).toBe(true);
    }
  });

  it('name only states that exist', () => {
    for (const next of Object.values(table).flat()) expect(states).toContain(next);
  });

  it('each have a row in the table of actions', () => {
    expect(Object.keys(actions).toSorted()).toEqual(states.toSorted());
  });

  it('are live or terminal, never both', () => {
    expect([...liveStates(table), ...terminalStates(table)].toSorted()).toEqual(states.toSorted());
  });

  it('never leave an end', () => {
    for (const end of terminalStates(table)) {
      expect(isTerminal(table, end)).toBe(true);
      for (const state of states) expect(canMove(table, end, state)).toBe(false);
    }
  });
});

describe('an exec', () => {
  it('reaches an end that proves a run only from a claimed state', () => {
    for (const end of ['succeeded', 'failed', 'timed_out', 'output_limited', 'oom_killed', 'lost'] as const) {
      expect(statesBefore(EXEC_TRANSITIONS, end)).toEqual(['starting', 'running']);
    }
  });

  it('is never queued again', () => {
    expect(statesBefore(EXEC_TRANSITIONS, 'queued')).toEqual([]);
  });
});
