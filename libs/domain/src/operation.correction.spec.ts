import { describe, expect, it } from '@jest/globals';
import { correctionOf, OPERATION_PLANS } from './index.js';

describe('the input of a retry', () => {
  it('is no correction where there is none', () => {
    for (const input of [undefined, null, {}]) expect(correctionOf('stop_container', input)).toEqual({});
  });

  it('is an image, a tier, or both', () => {
    for (const input of [{ image: 'berth/base:1' }, { tier: 'large' }, { image: 'a', tier: 'small' }]) {
      expect(correctionOf('create_container', input)).toEqual(input);
    }
  });

  it('makes no sense as anything else', () => {
    const senseless = [
      'image',
      ['a'],
      7,
      { image: 7 },
      { image: '' },
      { image: '-v /:/host' },
      { image: 'a b' },
      { tier: 'huge' },
      { workspace: 'full' },
      { tier: 'constructor' },
      { image: 'a', privileged: 'true' },
      JSON.parse('{"__proto__": "a"}'),
    ];
    for (const input of senseless) expect(correctionOf('prepare_storage', input)).toBeUndefined();
  });

  it('is for steps that still have something to make of it', () => {
    const steps = OPERATION_PLANS.restart.map(({ step }) => step);
    const correctable = steps.filter((step) => correctionOf(step, { image: 'a' }) !== undefined);
    expect(correctable).toEqual(['prepare_storage', 'create_container']);
    const remakeable = steps.filter((step) => correctionOf(step, { workspace: 'empty' }) !== undefined);
    expect(remakeable).toEqual(['prepare_storage', 'create_container', 'start_container', 'await_runner']);
  });
});
