import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { SealingKeys } from './sealing-keys.js';

const key = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`;

describe('the keys of stored secrets', () => {
  it('open what they have sealed for its row, and for no other', () => {
    const keys = SealingKeys.parse(key('1'));
    const sealed = keys.seal('sécret', 'row 1');
    expect(keys.open(sealed, 'row 1')).toBe('sécret');
    expect(() => keys.open(sealed, 'row 2')).toThrow('unable to authenticate');
    expect(sealed.bytes.includes('cret')).toBe(false);
    expect(keys.seal('sécret', 'row 1').bytes.equals(sealed.bytes)).toBe(false);
    for (let at = 0; at < sealed.bytes.length; at++) {
      const spoiled = Buffer.from(sealed.bytes);
      spoiled[at] = (spoiled[at] ?? 0) ^ 1;
      expect(() => keys.open({ ...sealed, bytes: spoiled }, 'row 1')).toThrow('unable to authenticate');
    }
  });

  it('are replaced by putting a new one first', () => {
    const [old, fresh] = [key('old'), key('new')];
    const sealed = SealingKeys.parse(old).seal('s', 'c');
    const both = SealingKeys.parse(`${fresh},${old}`);
    expect(both.open(sealed, 'c')).toBe('s');
    expect(both.seal('s', 'c').keyId).toBe('new');
    expect(() => SealingKeys.parse(fresh).open(sealed, 'c')).toThrow(/BERTH_CREDENTIAL_KEYS/);
    expect(() => SealingKeys.of({}).seal('s', 'c')).toThrow(/BERTH_CREDENTIAL_KEYS/);
  });

  it('are refused without being shown', () => {
    const short = `1:${randomBytes(16).toString('base64')}`;
    const twice = key('1');
    for (const text of ['', 'x', short, `${twice},${twice}`, `${key('a b')}`]) {
      expect(() => SealingKeys.parse(text)).toThrow(
        'A key is `id:key`, each id once and each key 32 bytes in base64.',
      );
    }
  });
});
