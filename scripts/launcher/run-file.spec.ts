import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  livingSupervisor,
  parseRunState,
  readRunFile,
  RUN_FILE_VERSION,
  RunFile,
  type RunState,
} from './run-file.js';

const state: RunState = {
  version: RUN_FILE_VERSION,
  phase: 'starting',
  supervisor: { pid: 2 ** 22 + 1, startTime: '1', command: 'node start.mjs' },
  stateDirectory: '/state',
  instanceId: 'instance',
  processes: {},
};
const worker = { pid: 4711, startTime: '2', command: 'node worker' };

describe('run.json', () => {
  let directory: string;
  let path: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-run-file-'));
    path = join(directory, 'run.json');
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  it('follows each change at once, and leaves no other file behind', () => {
    const file = new RunFile(path, state);
    file.setProcess('worker', worker);
    file.update({ phase: 'ready', apiUrl: 'http://127.0.0.1:3000' });
    expect(readRunFile(path)).toEqual({
      ...state,
      phase: 'ready',
      apiUrl: 'http://127.0.0.1:3000',
      processes: { worker },
    });
    file.setProcess('worker', undefined);
    expect(readRunFile(path)?.processes).toEqual({});
    expect(readdirSync(directory)).toEqual(['run.json']);
  });

  it('is for its user alone', () => {
    const file = new RunFile(path, state);
    expect(file.current).toEqual(state);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['is cut off', '{"version": 1, "proc'],
    ['is of another version', JSON.stringify({ ...state, version: 99 })],
    ['has no supervisor', JSON.stringify({ ...state, supervisor: undefined })],
    ['names process 1', JSON.stringify({ ...state, processes: { api: { ...worker, pid: 1 } } })],
    ['names no start time', JSON.stringify({ ...state, processes: { api: { pid: 4711, command: 'x' } } })],
    ['is no object', '[]'],
  ])('says nothing when it %s', (_, text) => {
    expect(parseRunState(text)).toBeUndefined();
  });

  it('is absent before the first start', () => {
    expect(readRunFile(path)).toBeUndefined();
    expect(livingSupervisor(undefined)).toBeUndefined();
  });

  it('does not take a dead supervisor for a living one', () => {
    expect(livingSupervisor(state)).toBeUndefined();
  });
});
