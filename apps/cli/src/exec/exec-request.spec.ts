import { describe, expect, test } from '@jest/globals';
import { checkTarget, execBodyOf } from './exec-request.js';

describe('the request of `berth exec`', () => {
  test('carries the arguments after `--` as they are', () => {
    expect(execBodyOf({ env: [] }, ['printf', '%s', '', '--', 'a b'])).toEqual({
      argv: ['printf', '%s', '', '--', 'a b'],
    });
  });

  test('carries a command line for the shell', () => {
    expect(execBodyOf({ env: [], command: 'ls | wc -l' }, [])).toEqual({ command: 'ls | wc -l' });
  });

  test('carries environment, directory and timeout', () => {
    const options = { env: ['A=1', 'B=x=y', 'C='], cwd: '/srv', timeout: 60 };
    expect(execBodyOf(options, ['true'])).toEqual({
      argv: ['true'],
      env: { A: '1', B: 'x=y', C: '' },
      workingDirectory: '/srv',
      timeoutSeconds: 60,
    });
  });

  test('refuses a missing command, two commands and a variable without a name', () => {
    expect(() => execBodyOf({ env: [] }, [])).toThrow('No command is given');
    expect(() => execBodyOf({ env: [], command: 'ls' }, ['ls'])).toThrow('Two commands are given');
    expect(() => execBodyOf({ env: ['=1'] }, ['ls'])).toThrow('--env =1 is not of the form NAME=VALUE');
  });

  test('refuses a sandbox that is named twice', () => {
    expect(() => checkTarget({ env: [], sandbox: 'id', owner: 'u1' })).toThrow(
      '--sandbox names one sandbox already',
    );
  });
});
