import { expect, it } from '@jest/globals';
import type { Injury } from '../injury.js';
import { bulkPhasesMet } from './phases.js';
import type { Look } from './wave.js';

const look = (atMs: number, state: string, pending: number, running: number): Look =>
  ({ atMs, bulk: { state, total: 4, counts: { pending, running } } }) as unknown as Look;

const at = (atMs: number): Injury => ({ atMs }) as Injury;

it('tells from what was seen before and after a kill where it met a bulk operation', () => {
  const looks = [
    look(10, 'pending', 4, 0),
    look(20, 'running', 2, 2),
    look(30, 'running', 1, 1),
    look(40, 'running', 0, 1),
    look(50, 'failed', 0, 0),
    look(60, 'running', 0, 1),
    look(70, 'succeeded', 0, 0),
  ];
  const metBy = (...moments: number[]) => bulkPhasesMet(moments.map(at), [looks]);
  expect(metBy(15)).toEqual({ B1: 1, B2: 0, B3: 0, B4: 0 });
  expect(metBy(25)).toEqual({ B1: 0, B2: 0, B3: 1, B4: 0 });
  expect(metBy(35)).toEqual({ B1: 0, B2: 1, B3: 1, B4: 0 });
  expect(metBy(45)).toEqual({ B1: 0, B2: 0, B3: 1, B4: 1 });
  // Ended, before it was begun anew, and outside of it.
  expect(metBy(55, 5, 75)).toEqual({ B1: 0, B2: 0, B3: 0, B4: 0 });
});
