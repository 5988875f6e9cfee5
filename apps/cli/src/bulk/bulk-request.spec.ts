import { describe, expect, it } from '@jest/globals';
import { bulkBodyOf, type BulkOptions } from './bulk-request.js';

const NONE: BulkOptions = {
  id: [],
  owner: [],
  name: [],
  tier: [],
  state: [],
  image: [],
  host: [],
  label: [],
};

describe('the body of a bulk operation', () => {
  it('selects by the conditions that were given', () => {
    const options = { ...NONE, tier: ['small', 'medium'], label: ['team=a=b'], concurrency: 4, budget: 0 };
    expect(bulkBodyOf('restart', { ...options, finish: true, delay: 0.5 }, [])).toEqual({
      action: 'restart',
      selector: { tier: ['small', 'medium'], label: { team: 'a=b' } },
      options: { running: 'wait' },
      maxConcurrency: 4,
      delaySeconds: 0.5,
      failureBudget: 0,
    });
  });

  it('names sandboxes, or has conditions, and never both or none', () => {
    expect(bulkBodyOf('stop', { ...NONE, id: ['a', 'b'] }, [])).toEqual({
      action: 'stop',
      sandboxIds: ['a', 'b'],
    });
    expect(() => bulkBodyOf('stop', NONE, [])).toThrow('Say which sandboxes');
    expect(() => bulkBodyOf('stop', { ...NONE, id: ['a'], owner: ['u1'] }, [])).toThrow('no other condition');
    expect(() => bulkBodyOf('stop', { ...NONE, label: ['team'] }, [])).toThrow('NAME=VALUE');
  });

  it('has a command where it is an exec, and only there', () => {
    expect(bulkBodyOf('exec', { ...NONE, owner: ['u1'] }, ['ls', '-l'])).toMatchObject({
      exec: { argv: ['ls', '-l'] },
    });
    expect(() => bulkBodyOf('exec', { ...NONE, owner: ['u1'] }, [])).toThrow('No command is given');
    expect(() => bulkBodyOf('stop', { ...NONE, owner: ['u1'] }, ['ls'])).toThrow('takes no command');
  });
});
