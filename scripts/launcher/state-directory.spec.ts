import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertFreeSpace, chooseSocketDirectory, layOutState, prepareState } from './state-directory.js';

const SOCKET_PATH_BYTES_MAX = 107;
const LONGEST_SOCKET = 'docker/exec/libnetwork/0123456789ab.sock';

describe('the state directory', () => {
  it('holds its own sockets while their paths are short enough for the kernel', () => {
    expect(chooseSocketDirectory('/srv/berth/.berth', '/tmp')).toBe('/srv/berth/.berth');
  });

  it('puts them into a short directory otherwise, always the same one', () => {
    const deep = `/srv/${'deep/'.repeat(20)}.berth`;
    const sockets = chooseSocketDirectory(deep, '/tmp');
    expect(sockets).toMatch(/^\/tmp\/berth-[0-9a-f]{12}$/);
    expect(chooseSocketDirectory(deep, '/tmp')).toBe(sockets);
    expect(join(sockets, LONGEST_SOCKET).length).toBeLessThanOrEqual(SOCKET_PATH_BYTES_MAX);
  });

  it('keeps to the limit for every length of path', () => {
    for (let length = 2; length < 120; length++) {
      const sockets = chooseSocketDirectory(`/${'x'.repeat(length)}`, '/tmp');
      expect(join(sockets, LONGEST_SOCKET).length).toBeLessThanOrEqual(SOCKET_PATH_BYTES_MAX);
    }
  });

  it('is for its user alone', () => {
    const parent = mkdtempSync(join(tmpdir(), 'berth-state-'));
    try {
      const state = layOutState('instance', parent);
      prepareState(state);
      expect(statSync(state.root).mode & 0o777).toBe(0o700);
    } finally {
      rmSync(parent, { recursive: true });
    }
  });

  it('refuses a disk that is nearly full, in words that help', () => {
    expect(() => assertFreeSpace(tmpdir(), Number.MAX_SAFE_INTEGER)).toThrow(
      /MiB left[^]*Fix: free some space/,
    );
  });
});
