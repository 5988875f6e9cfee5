import { describe, expect, it } from '@jest/globals';
import { isDomainError, workspacePath } from '../index.js';

describe('a path of the workspace', () => {
  it.each([
    ['a', 'a'],
    ['./a//b/', 'a/b'],
    ['/workspace/a', 'a'],
    ['/workspace', ''],
    ['', ''],
    ['ä b/…', 'ä b/…'],
    ['-rf', '-rf'],
    ['100%', '100%'],
    ['..a/b..', '..a/b..'],
  ])('%j is %j', (text, path) => expect(workspacePath(text)).toBe(path));

  it.each([
    '../../etc/shadow',
    'a/../../b',
    '/etc/shadow',
    '/workspaces/x',
    '/workspace/../etc/shadow',
    '%2e%2e/x',
    'a%00',
    '%ff',
    '..\\x',
    'a\0b',
    'a\uD800',
    'a\uFFFD',
    'x'.repeat(5_000),
    `a/${'ä'.repeat(128)}`,
  ])('%j is refused', (text) => {
    const refusal = (() => {
      try {
        return workspacePath(text);
      } catch (error) {
        return error;
      }
    })();
    expect(isDomainError(refusal, 'path_invalid')).toBe(true);
  });
});
