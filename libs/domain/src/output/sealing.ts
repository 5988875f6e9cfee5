import {
  PACK_EXECS_ENOUGH,
  PACK_BYTES_ENOUGH,
  PACK_WAIT_MS,
  SEALING_HOT_BYTES_ALARM,
  SEALING_LAG_MS_ALARM,
} from '../limits.js';

/** What waits to be sealed. */
export interface SealingLag {
  /** How long ago the exec ended whose output waits longest; 0 when none waits. */
  readonly oldestMs: number;
  /** Ended execs whose output is not sealed; counted up to 10,000. */
  readonly waiting: number;
  /** The most that a live exec has in the database. */
  readonly liveHotBytes: number;
}

export function isSealingLate(lag: SealingLag): boolean {
  return lag.oldestMs > SEALING_LAG_MS_ALARM || lag.liveHotBytes > SEALING_HOT_BYTES_ALARM;
}

/** Small outputs wait for each other, so that one object holds many of them, but not for long. */
export function isPackDue(waiting: { count: number; bytes: number; oldestMs: number }): boolean {
  if (waiting.count === 0) return false;
  return (
    waiting.count >= PACK_EXECS_ENOUGH ||
    waiting.bytes >= PACK_BYTES_ENOUGH ||
    waiting.oldestMs >= PACK_WAIT_MS
  );
}
