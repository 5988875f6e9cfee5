import { describe, expect, it } from '@jest/globals';
import {
  decideNeed,
  decideRequest,
  GIT_KINDS,
  isGitKind,
  LIFECYCLE_KINDS,
  OPERATION_KINDS,
  OPERATION_TRANSITIONS,
  liveStates,
  SANDBOX_ACTIONS,
  SANDBOX_TRANSITIONS,
  type OperationKind,
  type OperationOptions,
  type OperationState,
  type RequestDecision,
  type SandboxObservedState,
} from './index.js';

type LifecycleKind = (typeof LIFECYCLE_KINDS)[number];

const OBSERVED = Object.keys(SANDBOX_TRANSITIONS) as SandboxObservedState[];
const LIVE = liveStates(OPERATION_TRANSITIONS);
const held = (kind: OperationKind, state: OperationState, options: OperationOptions = {}) => ({
  kind,
  state,
  options,
});
const seen = (observedState: SandboxObservedState) => ({ observedState, image: 'i', tier: 'small' }) as const;
const asked = (kind: OperationKind, options: OperationOptions = {}) => ({ kind, options });

describe('a request for an operation', () => {
  it('on a sandbox that nothing holds is the whole table', () => {
    const table: Record<SandboxObservedState, Record<LifecycleKind, RequestDecision>> = {
      none: {
        start: 'create',
        stop: 'nothing',
        restart: 'create',
        delete: 'create',
        snapshot: 'not_allowed',
        restore: 'create',
        change: 'create',
      },
      starting: {
        start: 'not_allowed',
        stop: 'create',
        restart: 'create',
        delete: 'create',
        snapshot: 'not_allowed',
        restore: 'create',
        change: 'create',
      },
      running: {
        start: 'nothing',
        stop: 'create',
        restart: 'create',
        delete: 'create',
        snapshot: 'create',
        restore: 'create',
        change: 'create',
      },
      degraded: {
        start: 'not_allowed',
        stop: 'create',
        restart: 'create',
        delete: 'create',
        snapshot: 'create',
        restore: 'create',
        change: 'create',
      },
      stopping: {
        start: 'not_allowed',
        stop: 'create',
        restart: 'create',
        delete: 'create',
        snapshot: 'not_allowed',
        restore: 'create',
        change: 'create',
      },
      stopped: {
        start: 'create',
        stop: 'nothing',
        restart: 'create',
        delete: 'create',
        snapshot: 'create',
        restore: 'create',
        change: 'create',
      },
      missing: {
        start: 'create',
        stop: 'create',
        restart: 'create',
        delete: 'create',
        snapshot: 'create',
        restore: 'create',
        change: 'create',
      },
      deleted: {
        start: 'deleted',
        stop: 'deleted',
        restart: 'deleted',
        delete: 'nothing',
        snapshot: 'deleted',
        restore: 'deleted',
        change: 'deleted',
      },
    };
    for (const observedState of OBSERVED) {
      for (const kind of LIFECYCLE_KINDS) {
        const decided = decideRequest(seen(observedState), undefined, asked(kind));
        expect([observedState, kind, decided]).toEqual([observedState, kind, table[observedState][kind]]);
      }
    }
  });

  it('is created exactly where the table of actions shows it', () => {
    for (const observedState of OBSERVED) {
      for (const kind of OPERATION_KINDS) {
        const created = decideRequest(seen(observedState), undefined, asked(kind)) === 'create';
        expect(created).toBe(SANDBOX_ACTIONS[observedState].includes(kind));
      }
    }
  });

  it('that a live run does already is answered by that run', () => {
    for (const kind of OPERATION_KINDS) {
      for (const state of LIVE) {
        expect(decideRequest(seen('running'), held(kind, state), asked(kind))).toBe('join');
      }
    }
  });

  it('that differs from the live run in what it says is another one', () => {
    const live = held('restart', 'running');
    expect(decideRequest(seen('running'), live, asked('restart', { running: 'end' }))).toBe('join');
    for (const options of [{ running: 'wait' }, { running: 'wait', waitSeconds: 1 }] as const) {
      const decided = decideRequest(seen('running'), live, asked('restart', options));
      expect(decided).toBe('in_progress');
    }
  });

  it('of git is created where the sandbox runs, and nowhere else', () => {
    for (const observedState of OBSERVED) {
      for (const kind of GIT_KINDS) {
        const allowed = observedState === 'deleted' ? 'deleted' : 'not_allowed';
        const decided = decideRequest(seen(observedState), undefined, asked(kind));
        expect([observedState, decided]).toEqual([
          observedState,
          observedState === 'running' ? 'create' : allowed,
        ]);
      }
    }
  });

  it('of git is the same one only where it says the same', () => {
    const live = held('git_commit', 'running', { git: { path: '/workspace/a', message: 'm' } });
    const decide = (options: OperationOptions) =>
      decideRequest(seen('running'), live, asked('git_commit', options));
    expect(decide({ git: { message: 'm', path: '/workspace/a' } })).toBe('join');
    expect(decide({ git: { message: 'n', path: '/workspace/a' } })).toBe('in_progress');
  });

  it('takes over from another run only as a stop or a delete, from one of git also as a start or a restart, and only while that is parked', () => {
    for (const live of OPERATION_KINDS) {
      for (const state of LIVE) {
        for (const kind of OPERATION_KINDS.filter((one) => one !== live)) {
          const decided = decideRequest(seen('starting'), held(live, state), asked(kind));
          const mayEnd = isGitKind(live) ? !isGitKind(kind) : kind === 'stop' || kind === 'delete';
          const mayTake = state === 'parked' && mayEnd;
          expect([live, state, kind, decided]).toEqual([
            live,
            state,
            kind,
            mayTake ? 'take_over' : 'in_progress',
          ]);
        }
      }
    }
  });
});

describe('the need of a running sandbox', () => {
  it('starts it where nothing leads there, and never replaces what may hold commands', () => {
    const table: Record<SandboxObservedState, RequestDecision> = {
      none: 'create',
      starting: 'nothing',
      running: 'nothing',
      degraded: 'nothing',
      stopping: 'nothing',
      stopped: 'create',
      missing: 'create',
      deleted: 'deleted',
    };
    for (const observedState of OBSERVED) {
      expect([observedState, decideNeed({ observedState }, undefined)]).toEqual([
        observedState,
        table[observedState],
      ]);
    }
  });

  it('waits for a run that ends with it running, and is refused by one that does not', () => {
    for (const state of LIVE) {
      expect(decideNeed({ observedState: 'stopped' }, held('start', state))).toBe('join');
      expect(decideNeed({ observedState: 'stopping' }, held('restart', state))).toBe('join');
      expect(decideNeed({ observedState: 'running' }, held('stop', state))).toBe('in_progress');
      expect(decideNeed({ observedState: 'stopped' }, held('delete', state))).toBe('in_progress');
    }
  });
});
