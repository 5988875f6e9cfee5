import { isSealingLate, type HostStore, type ObjectStore, type SegmentStore } from '#domain';
import type { Database } from '#postgres';
import type { TemporalConnection } from '#temporal';
import type { HealthProbe } from './health-probe.js';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

export const postgresProbe = (database: Database): HealthProbe => ({
  name: 'postgres',
  neededForReady: true,
  check: async () => {
    await database.query('SELECT 1');
    return { state: 'up', detail: 'It answers.' };
  },
});

export const temporalProbe = (temporal: TemporalConnection): HealthProbe => ({
  name: 'temporal',
  neededForReady: true,
  check: async () => {
    await temporal.probe();
    return { state: 'up', detail: 'The namespace answers.' };
  },
});

/** The API never talks to Docker: a host renews its lease only while its engine answers. */
export const hostProbe = (hosts: HostStore): HealthProbe => ({
  name: 'docker',
  neededForReady: true,
  check: async () => {
    const rows = await hosts.list();
    const live = rows.filter((row) => row.live).length;
    const detail = `${live} of ${rows.length} hosts have a live lease.`;
    if (live === 0) return { state: 'down', detail };
    return { state: live === rows.length ? 'up' : 'degraded', detail };
  },
});

/** Asks for the bucket, with the keys, and makes it where it is not there: nothing else would before the first object. */
export const s3Probe = (objects: ObjectStore): HealthProbe => ({
  name: 's3',
  neededForReady: false,
  check: async () => {
    await objects.ensureBucket();
    return { state: 'up', detail: 'The bucket is there.' };
  },
});

/** Output is safe in the database while it waits, so a long wait is an alarm and nothing that stops work. */
export const sealingLagProbe = (segments: Pick<SegmentStore, 'lag'>): HealthProbe => ({
  name: 'sealingLag',
  neededForReady: false,
  check: async () => {
    const lag = await segments.lag();
    const minutes = Math.floor(lag.oldestMs / MINUTE_MS);
    return {
      state: isSealingLate(lag) ? 'degraded' : 'up',
      detail:
        lag.waiting === 0
          ? 'No output of an ended exec waits.'
          : `The output of ${lag.waiting} ended execs waits, the oldest for ${minutes} min.`,
      figures: {
        sealing_waiting_execs: lag.waiting,
        sealing_oldest_seconds: lag.oldestMs / SECOND_MS,
        sealing_live_hot_bytes_max: lag.liveHotBytes,
      },
    };
  },
});
