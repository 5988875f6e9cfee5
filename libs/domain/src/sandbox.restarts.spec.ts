import { describe, expect, it } from '@jest/globals';
import {
  configured,
  DEFAULT_SETTINGS,
  isRestartingTooOften,
  limits,
  observe,
  planRestart,
  RESTART_POLICIES,
  restartsWith,
  type Sandbox,
} from './index.js';

const AT = '2026-01-01T12:00:00.000Z';
const wanted = { desiredState: 'running', restartPolicy: 'on-failure', restarts: [] } as const;
const end = (exitCode: number, oomKilled = false) => ({ state: 'exited', exitCode, oomKilled }) as const;

/** How long after its end each further one begins, for a sandbox that never stays up. */
function delays(times: number): number[] {
  let restarts: string[] = [];
  return Array.from({ length: times }, () => {
    const planned = planRestart({ ...wanted, restarts }, 'failed');
    restarts = restartsWith(restarts, AT);
    return planned?.delayMs ?? -1;
  });
}

describe('a sandbox that came to an end by itself', () => {
  it.each([
    ['never', null, null],
    ['on-failure', null, 'failed'],
    ['always', 'ended', 'failed'],
  ] as const)(
    'with the policy %s is started again after an end in order: %s, after a failure: %s',
    (restartPolicy, ended, failed) => {
      const sandbox = { ...wanted, restartPolicy };
      const causeAfter = (seen: Parameters<typeof observe>[1]) =>
        observe(sandbox, seen).restart?.cause ?? null;
      expect(causeAfter(end(0))).toBe(ended);
      expect([end(137), end(0, true), undefined].map(causeAfter)).toEqual([failed, failed, failed]);
    },
  );

  it('is not started again where its owner wants it stopped, whatever the policy is', () => {
    for (const restartPolicy of RESTART_POLICIES) {
      for (const desiredState of ['stopped', 'deleted'] as const) {
        expect(planRestart({ ...wanted, restartPolicy, desiredState }, 'failed')).toBeNull();
      }
    }
  });

  it('waits longer each time, until it is for people', () => {
    expect(delays(6)).toEqual([1_000, 4_000, 16_000, 64_000, 256_000, 0]);
  });

  it('is for people to look at after five times', () => {
    let restarts: string[] = [];
    for (let time = 0; time <= limits.RESTARTS_MAX; time++) {
      expect(isRestartingTooOften(restarts)).toBe(false);
      restarts = restartsWith(restarts, AT);
    }
    expect(isRestartingTooOften(restarts)).toBe(true);
    expect(restartsWith(restarts, AT)).toHaveLength(limits.RESTARTS_MAX + 1);
  });
});

describe('the settings of a sandbox', () => {
  const sandbox = {
    ...DEFAULT_SETTINGS,
    desiredState: 'running',
    observedState: 'stopped',
    settingsVersion: 3,
    restarts: [],
    restartDue: { at: '2026-01-01T12:00:05.000Z', cause: 'failed' },
  } as unknown as Sandbox;

  it('get a new version with each change, and none without one', () => {
    expect(configured(sandbox, { restartPolicy: 'on-failure' }, 3)).toBe(sandbox);
    const changed = configured(sandbox, { idleStopSeconds: 60 }, 3);
    expect(changed).toMatchObject({ idleStopSeconds: 60, restartPolicy: 'on-failure', settingsVersion: 4 });
    expect(configured(changed, { idleStopSeconds: null }, 4)).toMatchObject({
      idleStopSeconds: null,
    });
  });

  it('are not changed by somebody who has seen others', () => {
    expect(() => configured(sandbox, { idleStopSeconds: 60 }, 2)).toThrow(/since/);
  });

  it('take a restart back that they do not want any more', () => {
    expect(configured(sandbox, { restartPolicy: 'never' }, undefined).restartDue).toBeNull();
    expect(configured(sandbox, { restartPolicy: 'always' }, undefined).restartDue).not.toBeNull();
  });
});
