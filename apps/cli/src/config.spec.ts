import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readConfig } from './config.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'berth-cli-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function stateFolder(): void {
  mkdirSync(path.join(folder, '.berth'));
  writeFileSync(path.join(folder, '.berth/run.json'), '{"apiUrl":"http://127.0.0.1:3001/"}');
  writeFileSync(path.join(folder, '.berth/secrets.json'), '{"adminSecret":"from-the-file"}');
}

describe('the configuration of the CLI', () => {
  test('comes from the state folder above the current one', () => {
    stateFolder();
    const deep = path.join(folder, 'a/b');
    mkdirSync(deep, { recursive: true });
    expect(readConfig({}, deep, {})).toEqual({ url: 'http://127.0.0.1:3001', adminSecret: 'from-the-file' });
  });

  test('prefers flags to the environment and the environment to the files', () => {
    stateFolder();
    const environment = { BERTH_URL: 'http://environment', BERTH_ADMIN_SECRET: 'from-the-environment' };
    expect(readConfig({}, folder, environment).url).toBe('http://environment');
    expect(readConfig({ url: 'http://flag' }, folder, environment)).toEqual({
      url: 'http://flag',
      adminSecret: 'from-the-environment',
    });
  });

  test('says what is missing and how to give it', () => {
    expect(() => readConfig({}, folder, {})).toThrow('No address of the API is known.');
    expect(() => readConfig({ url: 'http://flag' }, folder, {})).toThrow('No admin secret is known.');
  });

  test('does not quote a file that may hold a secret', () => {
    stateFolder();
    writeFileSync(path.join(folder, '.berth/secrets.json'), '{"adminSecret":"top-secret"');
    expect(() => readConfig({}, folder, {})).toThrow(/secrets\.json cannot be used\.$/);
  });
});
