import type { ExitRecord } from '#domain';

/** The record of a command that printed nothing and ended with 0, changed as a test needs it. */
export function exitRecordOf(change: Partial<ExitRecord> = {}): ExitRecord {
  const record: ExitRecord = {
    execId: '0190b0a0-0000-7000-8000-000000000000',
    protocol: 1,
    exitCode: 0,
    signal: null,
    reason: 'exited',
    startedAt: '2026-01-01T00:00:00.000000Z',
    finishedAt: '2026-01-01T00:00:01.000000Z',
    wallMs: 1_000,
    stdoutBytes: 0,
    stderrBytes: 0,
    stdoutSha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    stderrSha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    endPosition: 0,
    descendantsKilled: 0,
    descendantsLeft: 0,
    hadToKill: false,
    oomKills: 0,
    outputHeldOpen: false,
    outputTruncated: false,
    selfReported: false,
    usage: { userMs: 0, systemMs: 0, maxRssBytes: 0 },
  };
  return { ...record, ...change };
}
