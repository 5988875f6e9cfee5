import { execId, type Chunk } from '#domain';
import { RecentOutput } from './recent-output.js';

const ID = execId('0190b0a0-0000-7000-8000-000000000001');
const OTHER = execId('0190b0a0-0000-7000-8000-000000000002');
const MEBIBYTE = 1_024 * 1_024;

/** Half of each chunk is standard error, without headers, so that positions are easy to follow. */
function chunkAt(position: number, bytes: number): Chunk {
  return {
    position,
    endPosition: position + bytes,
    stdoutFrom: position / 2,
    stdoutTo: (position + bytes) / 2,
    stderrFrom: position / 2,
    stderrTo: (position + bytes) / 2,
    frames: new Uint8Array(bytes),
  };
}

describe('the newest output', () => {
  it('is found by position and by byte of a stream, and only what is there', () => {
    const recent = new RecentOutput();
    for (let n = 0; n < 5; n += 1) recent.add(ID, chunkAt(100 + n * 10, 10));
    for (const [place, position] of [
      [99, undefined],
      [100, 100],
      [119, 110],
      [149, 140],
      [150, undefined],
    ] as const) {
      expect(recent.find(ID, 'frames', place)?.position).toBe(position);
    }
    expect(recent.find(ID, 'stderr', 57)?.position).toBe(110);
    expect(recent.find(OTHER, 'frames', 100)).toBeUndefined();
  });

  it('never spans a gap', () => {
    const recent = new RecentOutput();
    recent.add(ID, chunkAt(0, 10));
    recent.add(ID, chunkAt(20, 10));
    expect(recent.find(ID, 'frames', 5)).toBeUndefined();
    expect(recent.find(ID, 'frames', 15)).toBeUndefined();
    expect(recent.find(ID, 'frames', 25)?.position).toBe(20);
  });

  it('is bounded for all execs together, and the oldest goes first', () => {
    const recent = new RecentOutput();
    recent.add(ID, chunkAt(0, MEBIBYTE));
    for (let n = 0; n < 100; n += 1) recent.add(OTHER, chunkAt(n * MEBIBYTE, MEBIBYTE));
    expect(recent.find(ID, 'frames', 0)).toBeUndefined();
    const kept = Array.from({ length: 100 }, (_, n) => recent.find(OTHER, 'frames', n * MEBIBYTE)).filter(
      Boolean,
    );
    expect(kept).toHaveLength(24);
    expect(recent.find(OTHER, 'frames', 99 * MEBIBYTE)).toBeDefined();
    recent.forget(OTHER);
    expect(recent.find(OTHER, 'frames', 99 * MEBIBYTE)).toBeUndefined();
    for (let n = 0; n < 24; n += 1) recent.add(ID, chunkAt(n * MEBIBYTE, MEBIBYTE));
    expect(recent.find(ID, 'frames', 0)).toBeDefined();
  });

  it('is bounded in pieces, too', () => {
    const recent = new RecentOutput();
    for (let n = 0; n < 10_000; n += 1) recent.add(ID, chunkAt(n * 2, 2));
    expect(recent.find(ID, 'frames', 2 * 5_000)).toBeUndefined();
    expect(recent.find(ID, 'frames', 2 * 9_999)).toBeDefined();
  });
});
