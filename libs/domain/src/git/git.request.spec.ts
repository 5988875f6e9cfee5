import { describe, expect, it } from '@jest/globals';
import {
  gitHostOf,
  isGitName,
  isGitRevision,
  isPersonText,
  isTreePath,
  isWorkingTree,
  refuseGitUrl,
} from '../index.js';

describe('the address of a remote', () => {
  it.each([
    'https://github.com/team/project.git',
    'https://git.example.org:8443/a/b',
    'https://192.0.2.7/a.git',
    'https://[2001:db8::1]:8443/a.git',
    'https://xn--bcher-kva.example/a%20b.git',
  ])('may be %s', (url) => expect(refuseGitUrl(url)).toBeUndefined());

  it.each([
    '--upload-pack=touch x',
    '-uhttps://a/b',
    'ext::sh -c true',
    'EXT::sh -c true',
    'https::ext::sh',
    'fd::17',
    'file:///etc/passwd',
    '/etc/passwd',
    '../other.git',
    'ssh://-oProxyCommand=x/y',
    'git@github.com:a/b.git',
    'ssh://git@github.com/a/b.git',
    'git+ssh://github.com/a',
    'git://github.com/a/b',
    'http://github.com/a/b',
    'HTTPS://github.com/a/b',
    'https:/github.com/a',
    'https://',
    'https:///a',
    'https://github.com',
    'https://github.com/',
    'https://user@github.com/a',
    'https://user:token@github.com/a',
    'https://github.com@evil.test/a',
    'https://github.com\\@evil.test/a',
    'https://github.com/a?x=y',
    'https://github.com/a#b',
    'https://github.com/a\nb',
    'https://github.com/a b',
    'https://github.com/a\u0000',
    'https://github.com/a/../../b',
    'https://-evil.test/a',
    'https://localhost./a',
    'https://2130706433/a',
    'https://0177.0.0.1/a',
    'https://0x7f.1/a',
    'https://127.1/a',
    'https://127.0.0.01/a',
    'https://a:0/b',
    'https://a:99999/b',
    'https://a:b/c',
    `https://a/${'b'.repeat(2_048)}`,
  ])('is never %j', (url) => expect(refuseGitUrl(url)).toEqual(expect.any(String)));

  it('names its host as a credential does', () => {
    expect(['GitHub.com', 'github.com:443', 'a.test:8443', '[::1]:8443'].map(gitHostOf)).toEqual([
      'github.com',
      'github.com',
      'a.test:8443',
      '[::1]:8443',
    ]);
    for (const none of ['', 'a b', 'user@a', 'a/b', '-a', 'a:', 'https://a'])
      expect(gitHostOf(none)).toBeUndefined();
  });
});

describe('a name of git', () => {
  it.each(['main', 'feature/x', 'v1.0', 'ümlaut', 'a-b_c'])('may be %s', (name) =>
    expect(isGitName(name)).toBe(true),
  );

  it.each([
    '',
    '-f',
    '--force',
    '.hidden',
    'a/.hidden',
    'a..b',
    'a.lock',
    'a.lock/b',
    'a/',
    '/a',
    'a//b',
    'a.',
    '@',
    '@{-1}',
    'a@{1}',
    'a~1',
    'a^',
    'a:b',
    'a?',
    'a*',
    'a[',
    'a\\b',
    'a b',
    'a\nb',
    'a\u007f',
    'refs/../../x',
    'x'.repeat(201),
  ])('is never %j', (name) => expect(isGitName(name)).toBe(false));

  it('may have what git lets follow it where a commit is named', () => {
    for (const text of ['HEAD~2', 'main^', 'v1.0', 'main@{1}', '0123abc'])
      expect(isGitRevision(text)).toBe(true);
    for (const text of ['-p', '--output=x', 'a..b', 'a b', ':/x', ''])
      expect(isGitRevision(text)).toBe(false);
  });
});

describe('a path', () => {
  it('of a working tree is absolute and plain', () => {
    for (const path of ['/workspace', '/workspace/a/b', '/workspace/.config'])
      expect(isWorkingTree(path)).toBe(true);
    const never = [
      '',
      '/',
      'a',
      '/a/',
      '/a//b',
      '/a/./b',
      '/a/../b',
      '/a/.git',
      '/a/.GIT/x',
      '/a\nb',
      '/a\u0000',
    ];
    for (const path of never) expect([path, isWorkingTree(path)]).toEqual([path, false]);
  });

  it('in a working tree leads nowhere else', () => {
    for (const path of ['a', 'a/b', '-x', ':(top)', '*']) expect(isTreePath(path)).toBe(true);
    for (const path of ['', '/a', '../a', 'a/../../b', 'a\u0000']) expect(isTreePath(path)).toBe(false);
  });
});

it('A person is named in one line, without what ends a name in a commit', () => {
  expect(['Ada', 'ada@example.org', 'Ada Löve'].every(isPersonText)).toBe(true);
  expect(['', ' ', 'a<b', 'a>b', 'a\nb', 'x'.repeat(201)].some(isPersonText)).toBe(false);
});
