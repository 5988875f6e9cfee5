import { describe, expect, it } from '@jest/globals';
import type { Injury } from '../injury.js';
import type { GitOperation } from './phases.js';
import { gitPhasesMet } from './phases.js';
import { judgeHistory, type AskedHistory, type ServerCommit } from './history.js';

const FIRST = { id: '0', subject: 'first', operationId: undefined };
const asked: AskedHistory = {
  repository: 'p.git',
  changes: [
    { subject: 'one', operationIds: ['a', 'b'] },
    { subject: 'two', operationIds: ['c'] },
  ],
  others: ['other 1'],
  told: ['1', '3'],
};
const ONE = { id: '1', subject: 'one', operationId: 'b' };
const OTHER = { id: '2', subject: 'other 1', operationId: undefined };
const TWO = { id: '3', subject: 'two', operationId: 'c' };
const kinds = (...history: ServerCommit[]): string[] =>
  judgeHistory(asked, [FIRST, ...history]).map(({ kind }) => kind);

describe('what a server has', () => {
  it('is right where each commit is there once, in order, of an operation that was asked for it', () =>
    expect(kinds(ONE, OTHER, TWO)).toEqual([]));

  it('lacks a commit that was asked for, or that was told of', () => {
    expect(kinds(ONE, OTHER)).toEqual(['lost commit', 'lost commit']);
    expect(kinds(ONE, TWO)).toEqual(['lost commit']);
    expect(kinds(ONE, OTHER, { ...TWO, id: '4' })).toEqual(['lost commit']);
  });

  it('has a commit twice, of nobody, of another operation, or in another order', () => {
    expect(kinds(ONE, { ...ONE, id: '4' }, OTHER, TWO)).toContain('doubled commit');
    expect(kinds(ONE, OTHER, TWO, { id: '4', subject: 'three', operationId: 'd' })).toEqual(['wrong commit']);
    expect(kinds({ ...ONE, operationId: 'c' }, OTHER, TWO)).toEqual(['wrong commit']);
    expect(kinds(TWO, OTHER, ONE)).toEqual(['wrong order']);
  });
});

it('counts a kill for the phase of the push that it met, as the server saw it come', () => {
  const at = (second: number): string => new Date(second * 1_000).toISOString();
  const operation = {
    repository: 'p.git',
    steps: [
      { name: 'commit_changes', startedAt: at(1), finishedAt: at(2) },
      { name: 'push_branch', startedAt: at(2), finishedAt: at(5) },
      { name: 'record_git', startedAt: at(5), finishedAt: at(6) },
    ],
    finishedAt: at(6),
  } as unknown as GitOperation;
  const kills = [1.5, 2.5, 3.5, 4.5, 5.5, 7].map((second) => ({ atMs: second * 1_000 }) as Injury);
  const pushes = [
    { repository: 'q.git', atMs: 2_100 },
    { repository: 'p.git', atMs: 3_000 },
  ];
  expect(gitPhasesMet(kills, [operation], pushes)).toEqual({ clone: 0, G1: 1, G2: 1, G3: 2, G4: 1, pull: 0 });
});
