import type { HostStore, ObjectStore } from '#domain';
import type { Database } from '#postgres';
import type { TemporalConnection } from '#temporal';
import type { HealthProbe } from './health.service.js';

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
