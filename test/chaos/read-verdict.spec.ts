import { describe, expect, it } from '@jest/globals';
import { judgeReads, type Asked } from './read-verdict.js';

/** 400 of them, evenly between 10 ms and twice as much. */
const times = (factor = 1): number[] => Array.from({ length: 400 }, (_, n) => factor * (10 + n / 40));
const asked = (api: number, machine = 1): Asked => ({ api: times(api), machine: times(machine) });

describe('reads after the kills', () => {
  it.each([
    ['back where they are as quick as before', asked(1.08), 'back'],
    ['not back where they are slower, and the machine is not', asked(1.3), 'not back'],
    ['not told where the machine is slower itself', asked(1.3, 1.3), 'not told'],
    ['not told where so few cannot tell', { ...asked(1), api: times(2).slice(0, 100) }, 'not told'],
    ['not told where they are slower by less than can be known', asked(1.105), 'not told'],
  ])('are %s', (_, after, verdict) => {
    expect(judgeReads(asked(1), after)).toMatchObject({ verdict });
  });

  it('are told beside what the machine itself took', () => {
    const { api, machine } = judgeReads(asked(1), asked(1.3, 0.9));
    expect(api).toBeCloseTo(1.3);
    expect(machine).toBeCloseTo(0.9);
  });
});
