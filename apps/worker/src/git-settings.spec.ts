import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { limits } from '#domain';
import { ConfigError } from './config.js';
import { readGitSettings } from './git-settings.js';

const PEM = fileURLToPath(new URL('../../../test/git/ca.pem', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'berth-ca-'));
afterAll(() => rmSync(folder, { recursive: true }));

const settingsWith = (file: string | undefined) =>
  readGitSettings({
    BERTH_GIT_CA_FILE: file,
    BERTH_GIT_ALLOWED_NETWORKS: ['10.0.0.0/8'],
    BERTH_GIT_BYTES_MAX: 7,
  });

function bundleOf(bytesAtLeast: number): string {
  const file = join(folder, `${bytesAtLeast}.pem`);
  const one = readFileSync(PEM, 'utf8');
  writeFileSync(file, one.repeat(Math.ceil(bytesAtLeast / one.length)));
  return file;
}

describe('the settings of git', () => {
  it('have the certificates of the file, and none without one', () => {
    expect(settingsWith(PEM)).toEqual({
      allowedNetworks: ['10.0.0.0/8'],
      bytesMax: 7,
      certificates: readFileSync(PEM, 'utf8'),
    });
    expect(settingsWith(undefined).certificates).toBe('');
  });

  it('take the bundle of a whole system, which is 220 KiB', () => {
    const whole = bundleOf(220 * 1_024);
    expect(settingsWith(whole).certificates).toBe(readFileSync(whole, 'utf8'));
  });

  it('say at once that a file is too large for the way into a sandbox, and what to do', () => {
    const large = bundleOf(limits.GIT_CERTIFICATES_BYTES_MAX);
    expect(() => settingsWith(large)).toThrow(ConfigError);
    expect(() => settingsWith(large)).toThrow(/BERTH_GIT_CA_FILE is too large.*Leave out/);
  });

  it('say at once that there is no such file, or none of certificates', () => {
    const other = join(folder, 'other.pem');
    writeFileSync(other, 'hello\n');
    for (const file of [other, join(folder, 'none.pem')]) {
      expect(() => settingsWith(file)).toThrow(ConfigError);
      expect(() => settingsWith(file)).toThrow(/BERTH_GIT_CA_FILE cannot be read/);
    }
  });
});
