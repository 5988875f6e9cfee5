import { describe, expect, it } from '@jest/globals';
import { operationId, type Operation, type OperationState, type Park, type SweepStore } from '#domain';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';
import { createControlActivities } from './control.activities.js';

const ID = operationId('0190b0a0-0000-7000-8000-000000000002');
const park: Park = {
  step: 'start_container',
  parkNo: 1,
  failure: { code: 'container_failed', message: 'It could not be started.' },
  parkedAt: '2026-01-01T00:00:00.000Z',
  deadlineAt: '2026-01-08T00:00:00.000Z',
};

/** An operation in this state is told to park; what it is then, and what its run was answered. */
async function parkIn(state: OperationState) {
  const world = new MemoryWorld();
  world.operations.rows.set(ID, { id: ID, state, startedAt: null } as Operation & { requestHash: string });
  const { sandboxes, operations, execs, wakes: wake, workflows: runs } = world;
  const silent = () => undefined;
  const log = { debug: silent, info: silent, warn: silent, error: silent };
  const sweeps = {} as SweepStore;
  const activities = createControlActivities({
    sandboxes,
    operations,
    execs,
    bulks: world.bulks,
    credentials: world.credentials,
    hosts: world.hosts,
    snapshots: world.snapshots,
    wake,
    runs,
    log,
    sweeps,
  });
  const answer = await activities.parkOperation({ operationId: ID, park });
  return { answer, state: (await operations.get(ID)).state };
}

describe('parking', () => {
  it.each<OperationState>(['running', 'parked'])('takes an operation that is %s', async (state) => {
    expect(await parkIn(state)).toEqual({ answer: { isParked: true }, state: 'parked' });
  });

  it.each<OperationState>(['failed', 'canceled'])(
    'leaves one alone that is %s, and says so',
    async (state) => {
      expect(await parkIn(state)).toEqual({ answer: { isParked: false }, state });
    },
  );
});
