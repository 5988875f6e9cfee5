import { describe, expect, it } from '@jest/globals';
import {
  ERROR_CODES,
  GIT_KINDS,
  OPERATION_KINDS,
  OPERATION_PLANS,
  parkAdvice,
  planOperation,
  stagesOf,
  touchesSandbox,
  undosOf,
} from './index.js';

const BEFORE = { image: 'i', tier: 'small', workspaceId: null } as const;
const stepsOf = (kind: (typeof OPERATION_KINDS)[number]): string[] =>
  planOperation(kind, {}).map(({ step }) => step);

describe('the plan of an operation', () => {
  it.each(OPERATION_KINDS)('of kind %s names each step once', (kind) => {
    expect(new Set(stepsOf(kind)).size).toBe(stepsOf(kind).length);
  });

  it.each(['stop', 'restart', 'delete'] as const)(
    'of kind %s holds the queue before it ends anything, and drains before it goes on',
    (kind) => {
      const steps = stepsOf(kind);
      expect(steps[0]).toBe('hold_queue');
      expect(steps.indexOf('drain_execs')).toBe(steps.indexOf('stop_container') + 1);
    },
  );

  it.each([
    ['restore', 'unpack_snapshot'],
    ['change', 'prepare_storage'],
  ] as const)('of kind %s ends nothing before it has done what may not be had: %s', (kind, first) => {
    const steps = stepsOf(kind);
    expect(steps.indexOf('hold_queue')).toBeGreaterThan(steps.indexOf(first));
    expect(steps.indexOf('drain_execs')).toBe(steps.indexOf('stop_container') + 1);
    expect(steps.at(-1)).toBe('open_queue');
  });

  it.each(['restore', 'change'] as const)('of kind %s leaves a sandbox stopped that was to be', (kind) => {
    const plan = planOperation(kind, { before: { ...BEFORE, isWanted: false } });
    const steps = plan.map(({ step }) => step);
    expect(steps.at(-1)).toBe('record_stopped');
    expect(steps).not.toContain('create_container');
    expect(plan.map(({ undo }) => undo)).not.toContain('run_again');
  });

  it('takes a snapshot before a restart only where that is wanted, and when all execs have ended', () => {
    const steps = planOperation('restart', { snapshot: true }).map(({ step }) => step);
    expect(steps.slice(0, 4)).toEqual(['hold_queue', 'end_execs', 'write_snapshot', 'stop_container']);
    for (const step of ['end_execs', 'write_snapshot']) expect(stepsOf('restart')).not.toContain(step);
  });

  it('deletes the spool only after it was drained, and the row last', () => {
    expect(stepsOf('delete').slice(-4)).toEqual([
      'drain_execs',
      'remove_containers',
      'remove_storage',
      'record_deleted',
    ]);
  });

  it('waits for execs where that was asked for, before anything is ended', () => {
    const steps = planOperation('restart', { running: 'wait' }).map(({ step }) => step);
    expect(steps.indexOf('await_execs')).toBe(steps.indexOf('stop_container') - 1);
    expect(stepsOf('restart')).not.toContain('await_execs');
  });
});

describe('the stages of a plan', () => {
  it.each(OPERATION_KINDS)('of kind %s are its steps in their order', (kind) => {
    const plan = planOperation(kind, {});
    expect(stagesOf(plan).flat()).toEqual(plan);
  });

  it('are three of a restart: what the rows say before and after is not for the host to order', () => {
    const stages = stagesOf(planOperation('restart', {})).map((stage) => stage.map(({ step }) => step));
    expect(stages.map(([first]) => first)).toEqual(['hold_queue', 'stop_container', 'open_queue']);
    expect(stages[1]).toHaveLength(6);
  });

  it.each(OPERATION_KINDS)('of kind %s wait for nobody but the host, and move no archive', (kind) => {
    const staged = stagesOf(planOperation(kind, { running: 'wait', awaitsHealth: true, snapshot: true }))
      .filter(({ length }) => length > 1)
      .flat()
      .map(({ step }) => step);
    for (const step of ['await_execs', 'await_health', 'write_snapshot', 'unpack_snapshot']) {
      expect(staged).not.toContain(step);
    }
  });
});

describe('what is left to undo', () => {
  it.each(OPERATION_KINDS.filter(touchesSandbox))(
    'of a %s ends with a look at the engine from the moment on when something of the sandbox was touched',
    (kind) => {
      const plan = planOperation(kind, {});
      const touched = plan.findIndex(({ undo }) => undo === 'observe_container');
      expect(touched).toBeLessThanOrEqual(1);
      for (let begun = touched + 1; begun <= plan.length; begun++) {
        expect(undosOf(plan, begun).at(-1)).toBe('observe_container');
      }
    },
  );

  it.each([
    ['restore', 'revert_workspace'],
    ['change', 'revert_change'],
  ] as const)('of a %s is its container, then what it was, and then it runs again', (kind, revert) => {
    const plan = planOperation(kind, {});
    expect(undosOf(plan, plan.length)).toEqual([
      'discard_container',
      revert,
      'run_again',
      'observe_container',
    ]);
  });

  it('of a snapshot is what has been stored of it', () => {
    expect(undosOf(planOperation('snapshot', {}), 1)).toEqual(['discard_snapshot']);
  });

  it.each(GIT_KINDS)('of a %s is only what it has begun in the sandbox', (kind) => {
    for (let begun = 1; begun <= planOperation(kind, {}).length; begun++) {
      expect(undosOf(planOperation(kind, {}), begun)).toEqual(['discard_git']);
    }
  });

  it('is nothing before the first step', () => {
    expect(undosOf(planOperation('start', {}), 0)).toEqual([]);
  });

  it('is the container from the moment on when it may be there', () => {
    const plan = planOperation('restart', {});
    const made = plan.findIndex(({ step }) => step === 'create_container');
    expect(undosOf(plan, made)).toEqual(['observe_container']);
    expect(undosOf(plan, made + 1)).toEqual(['discard_container', 'observe_container']);
  });
});

describe('the advice at a parked run', () => {
  it('says what to check for every step and code, and names the park in each call', () => {
    const steps = OPERATION_KINDS.flatMap((kind) => OPERATION_PLANS[kind].map(({ step }) => step));
    for (const step of steps) {
      for (const code of ERROR_CODES) {
        const advice = parkAdvice('id-1', { step, parkNo: 3, failure: { code, message: 'no' } });
        expect(advice.check.length).toBeGreaterThan(10);
        for (const calls of [advice.retry, advice.abort]) {
          expect(calls.cli).toMatch(/^berth op (retry|abort) id-1$/);
          for (const call of [calls.curl, calls.temporal]) {
            expect(call).toContain(JSON.stringify({ step, parkNo: 3 }));
            expect(call).toContain('id-1');
          }
        }
      }
    }
  });
});
