import { describe, expect, it } from '@jest/globals';
import { limits } from '#domain';
import { CloneBody, CommitAndPushBody, CommitBody } from './git.input.js';

const refusalOf = (url: string): string => {
  const { error } = CloneBody.safeParse({ url, path: 'a' });
  return error?.issues.map(({ message }) => message).join() ?? '';
};

describe('what is asked of git', () => {
  it.each([
    'ssh://git@host.test/a.git',
    'git+ssh://host.test/a',
    'git@host.test:team/a.git',
    'SSH://host.test/a',
  ])('names what to take instead of %s', (url) =>
    expect(refusalOf(url)).toMatch(/ssh.*https address.*token/),
  );

  it('is everything where nothing is named, said or not, and never everything and something', () => {
    const commit = { path: 'a', message: 'm' };
    for (const body of [CommitBody, CommitAndPushBody]) {
      expect(body.parse({ ...commit, all: true })).toEqual(body.parse(commit));
      expect(body.safeParse({ ...commit, all: true, paths: ['b'] }).error?.issues).toMatchObject([
        { path: ['all'] },
      ]);
      expect(body.safeParse({ ...commit, all: false }).success).toBe(false);
    }
  });

  it('is refused where it would not fit into the message to the sandbox', () => {
    const commit = { path: 'a', message: 'm' };
    const name = 'x'.repeat(4_000);
    const fits = Math.floor(limits.GIT_REQUEST_BYTES_MAX / (name.length + 3)) - 1;
    const pathsOf = (count: number): string[] => Array.from({ length: count }, () => name);
    for (const body of [CommitBody, CommitAndPushBody]) {
      expect(body.safeParse({ ...commit, paths: pathsOf(fits) }).success).toBe(true);
      expect(body.safeParse({ ...commit, paths: pathsOf(fits + 2) }).error?.issues).toMatchObject([
        { path: ['paths'], message: expect.stringContaining(String(limits.GIT_REQUEST_BYTES_MAX)) },
      ]);
    }
  });
});
