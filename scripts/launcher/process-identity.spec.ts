import { matchesIdentity, observeProcess, parseProcStat, type ProcessIdentity } from './process-identity.js';

const recorded: ProcessIdentity = {
  pid: 4711,
  startTime: '307481',
  command: 'unshare -U --map-user=65534 /usr/bin/postgres -D /data',
};
const observed = { state: 'S', threads: 1, startTime: '307481', command: '/usr/bin/postgres -D /data' };

describe('the identity of a process', () => {
  it('is read from a line whose command name holds spaces and parentheses', () => {
    const fields = Array.from({ length: 30 }, (_, index) => String(index + 4));
    expect(parseProcStat(`4711 (a) b (c)) S ${fields.join(' ')}`)).toEqual({
      state: 'S',
      threads: 20,
      startTime: '22',
    });
  });

  it('matches the same process, also after a wrapper has replaced itself', () => {
    expect(matchesIdentity(recorded, { ...observed, command: recorded.command })).toBe(true);
    expect(matchesIdentity(recorded, observed)).toBe(true);
  });

  it('matches a process that is just ending and has no command line any more', () => {
    expect(matchesIdentity(recorded, { ...observed, state: 'R', command: '' })).toBe(true);
  });

  it('matches a zombie whose other threads still end', () => {
    expect(matchesIdentity(recorded, { ...observed, state: 'Z', threads: 5, command: '' })).toBe(true);
  });

  it.each([
    ['is gone', undefined],
    ['has another start time, so the pid was given away', { ...observed, startTime: '999' }],
    ['runs another command', { ...observed, command: '/usr/bin/sleep 1' }],
    ['runs a command that only ends alike', { ...observed, command: 'ostgres -D /data' }],
    ['is a zombie', { ...observed, state: 'Z', command: '' }],
  ])('does not match when the process %s', (_, found) => {
    expect(matchesIdentity(recorded, found)).toBe(false);
  });

  it('is seen for a living process and not for one that never was', () => {
    expect(observeProcess(process.pid)?.command).toContain('node');
    expect(observeProcess(2 ** 22 + 1)).toBeUndefined();
  });
});
