import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { hashTree } from './tree.js';

const AT = new Date('2001-02-03T04:05:06Z');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tree-'));
  mkdirSync(join(folder, 'deep'));
  for (const name of ['deep/one', 'deep/two', 'deep']) {
    if (name !== 'deep') writeFileSync(join(folder, name), name);
    utimesSync(join(folder, name), AT, AT);
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

it('is the same for the same workspace, and another one after each kind of change', () => {
  const seen = [hashTree(folder)];
  expect(hashTree(folder)).toBe(seen[0]);
  const afterwards = (change: () => void): void => {
    change();
    const is = hashTree(folder);
    expect(seen).not.toContain(is);
    seen.push(is);
  };
  const one = join(folder, 'deep/one');
  afterwards(() => chmodSync(one, 0o600));
  afterwards(() => utimesSync(one, AT, new Date(0)));
  afterwards(() => symlinkSync('deep/one', join(folder, 'link')));
  afterwards(() => {
    unlinkSync(join(folder, 'link'));
    symlinkSync('deep/two', join(folder, 'link'));
  });
  afterwards(() => {
    writeFileSync(one, 'ONE/deep');
    utimesSync(one, AT, new Date(0));
  });
  afterwards(() => linkSync(one, join(folder, 'deep/zero')));
});
