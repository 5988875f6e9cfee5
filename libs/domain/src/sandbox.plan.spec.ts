import { describe, expect, it } from '@jest/globals';
import { observe, planContainer, type ContainerView, type SandboxDesiredState } from './index.js';

const STATES = ['running', 'paused', 'created', 'exited', 'restarting', 'missing'] as const;
const DESIRED: readonly SandboxDesiredState[] = ['running', 'stopped', 'deleted'];
const seen = (state: ContainerView['state'], oomKilled = false, exitCode: number | null = 0) => ({
  state,
  oomKilled,
  exitCode,
});
const wanted = (desiredState: SandboxDesiredState) => ({
  desiredState,
  restartPolicy: 'on-failure' as const,
  restarts: [],
});

describe('a look at the engine', () => {
  it('never says running of what is not, whatever the owner wants', () => {
    for (const desiredState of DESIRED) {
      for (const state of STATES) {
        const { observedState } = observe(wanted(desiredState), seen(state));
        expect(observedState === 'running').toBe(state === 'running');
      }
      expect(observe(wanted(desiredState), undefined).observedState).toBe('missing');
    }
  });

  it('names every drift, and nothing where all is as it should be', () => {
    const codes = DESIRED.flatMap((desiredState) =>
      STATES.map((state) => [
        desiredState,
        state,
        observe(wanted(desiredState), seen(state)).failure?.code ?? null,
      ]),
    );
    expect(codes).toEqual([
      ['running', 'running', null],
      ['running', 'paused', 'container_failed'],
      ['running', 'created', null],
      ['running', 'exited', null],
      ['running', 'restarting', null],
      ['running', 'missing', 'container_missing'],
      ['stopped', 'running', 'invalid_state'],
      ['stopped', 'paused', 'container_failed'],
      ['stopped', 'created', null],
      ['stopped', 'exited', null],
      ['stopped', 'restarting', null],
      ['stopped', 'missing', 'container_missing'],
      ['deleted', 'running', 'invalid_state'],
      ['deleted', 'paused', 'container_failed'],
      ['deleted', 'created', null],
      ['deleted', 'exited', null],
      ['deleted', 'restarting', null],
      ['deleted', 'missing', 'container_missing'],
    ]);
    expect(observe(wanted('running'), seen('exited', true)).failure?.message).toMatch(/memory/);
  });
});

describe('a container that was found', () => {
  const row = { generation: 3, observedState: 'running' as const };
  const found = (generation: number, isNamedOurs: boolean) => ({
    generation,
    isNamedOurs,
    isConnected: true,
    state: 'running' as const,
  });

  it('is removed only where its row proves that it is not needed, and its name that it is ours', () => {
    for (const generation of [1, 2]) {
      expect(planContainer(found(generation, true), row)).toBe('remove');
      expect(planContainer(found(generation, false), row)).toBe('report');
    }
    const deleted = { ...row, observedState: 'deleted' as const };
    expect(planContainer(found(3, true), deleted)).toBe('remove');
    expect(planContainer(found(3, false), deleted)).toBe('report');
  });

  it('gets its name back where it is the one that the row means', () => {
    expect(planContainer(found(3, true), row)).toBe('keep');
    expect(planContainer(found(3, false), row)).toBe('reclaim');
  });

  it('gets its network back where it runs and is the one that the row means', () => {
    const cutOff = { ...found(3, true), isConnected: false };
    expect(planContainer(cutOff, row)).toBe('reconnect');
    expect(planContainer({ ...cutOff, state: 'exited' }, row)).toBe('keep');
    expect(planContainer({ ...cutOff, generation: 2 }, row)).toBe('remove');
    expect(planContainer(cutOff, undefined)).toBe('report');
  });

  it('is left to people where no row knows it', () => {
    for (const isNamedOurs of [true, false]) {
      expect(planContainer(found(3, isNamedOurs), undefined)).toBe('report');
      expect(planContainer(found(4, isNamedOurs), row)).toBe('report');
    }
  });
});
