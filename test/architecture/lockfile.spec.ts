import { describe, expect, it } from '@jest/globals';
import { jsonOf } from './project-files.js';

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly optionalDependencies?: Record<string, string> }>>;
}

describe('the lockfile', () => {
  it('holds every optional package that it names, without which `npm ci` refuses it on a fresh machine', () => {
    const { packages } = jsonOf<Lockfile>('package-lock.json');
    const held = new Set(Object.keys(packages).map((path) => path.replace(/^.*node_modules\//, '')));
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies }]) =>
      path === '' ? [] : Object.keys(optionalDependencies ?? {}).filter((name) => !held.has(name)),
    );
    expect(missing).toEqual([]);
  });

  it('names no address that only one network has', () => {
    expect(JSON.stringify(jsonOf('package-lock.json'))).not.toMatch(/"resolved":"https?:/);
  });
});
