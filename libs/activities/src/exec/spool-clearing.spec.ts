import { beforeEach, describe, expect, it } from '@jest/globals';
import { DomainError, hostId, sandboxId, type ExecState, type RunnerExecStatus } from '#domain';
import { SpoolClearing, type SpoolClearingPorts } from './spool-clearing.js';

const SANDBOX = sandboxId('0190b0a0-0000-7000-8000-000000000002');
const id = (number: number): string => `0190b0a0-0000-7000-8000-00000000001${number}`;

let rows: Record<string, ExecState>;
let spools: Record<string, RunnerExecStatus['state']>;
let observedState: string;
let finishedAt: string;
let failures: number;
let canceled: string[];

function clearing(): SpoolClearing {
  const connection = {
    list: async () =>
      Object.entries(spools).map(([execId, state]) => ({
        execId,
        state,
        exitRecord: state === 'finished' ? { finishedAt } : undefined,
      })),
    cancel: async (execId: string) => {
      canceled.push(execId);
      spools[execId] = 'finished';
    },
    forget: async (execId: string) => {
      if (failures-- > 0) throw new DomainError('runner_unreachable', 'gone');
      expect(spools[execId]).not.toBe('running');
      delete spools[execId];
    },
  };
  const ports = {
    execs: {
      get: async (execId: string) => {
        if (rows[execId] === undefined) throw new DomainError('not_found', 'There is no such exec.');
        return { state: rows[execId] };
      },
    },
    sandboxes: {
      get: async () => ({ observedState, generation: 2 }),
      listOnHost: async () => [{ id: SANDBOX }],
    },
    engine: { connect: async () => connection },
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  };
  return new SpoolClearing(ports as unknown as SpoolClearingPorts);
}

beforeEach(() => {
  rows = { [id(1)]: 'lost', [id(2)]: 'running', [id(3)]: 'succeeded' };
  spools = { [id(1)]: 'lost', [id(2)]: 'running', [id(3)]: 'finished', [id(4)]: 'finished' };
  observedState = 'running';
  finishedAt = new Date(0).toISOString();
  failures = 0;
  canceled = [];
});

describe('clearing the spools of a sandbox', () => {
  it('deletes those of ended execs, and leaves the live and the unknown', async () => {
    const spoolClearing = clearing();
    spoolClearing.note(SANDBOX);
    await spoolClearing.clear(SANDBOX);
    await spoolClearing.clear(SANDBOX);
    expect(Object.keys(spools)).toEqual([id(2), id(4)]);
    expect(canceled).toEqual([]);
  });

  it('deletes what a worker that died has left of a request, and nothing that may still be asked for', async () => {
    const visit = (number: number): string => `0190b0a0-0000-4000-8000-00000000002${number}`;
    rows = {};
    spools = { [visit(1)]: 'lost', [visit(2)]: 'running', [visit(3)]: 'finished' };
    finishedAt = new Date().toISOString();
    await clearing().clearAll(hostId('local'));
    expect(Object.keys(spools)).toEqual([visit(2), visit(3)]);
    finishedAt = new Date(0).toISOString();
    await clearing().clearAll(hostId('local'));
    expect(Object.keys(spools)).toEqual([visit(2)]);
    expect(canceled).toEqual([]);
  });

  it('ends the command of an exec that was given up and ran on', async () => {
    rows[id(2)] = 'lost';
    await clearing().clearAll(hostId('local'));
    expect(canceled).toEqual([id(2)]);
    expect(Object.keys(spools)).toEqual([id(4)]);
  });

  it('does not ask a sandbox in which nothing was left', async () => {
    await clearing().clear(SANDBOX);
    expect(Object.keys(spools)).toHaveLength(4);
  });

  it('waits until the sandbox runs', async () => {
    const spoolClearing = clearing();
    observedState = 'stopped';
    spoolClearing.note(SANDBOX);
    await spoolClearing.clear(SANDBOX);
    expect(Object.keys(spools)).toHaveLength(4);
    observedState = 'running';
    await spoolClearing.clear(SANDBOX);
    expect(Object.keys(spools)).toHaveLength(2);
  });

  it('tries again after a failure', async () => {
    const spoolClearing = clearing();
    failures = 1;
    spoolClearing.note(SANDBOX);
    await spoolClearing.clear(SANDBOX);
    await spoolClearing.clear(SANDBOX);
    expect(Object.keys(spools)).toHaveLength(2);
  });
});
