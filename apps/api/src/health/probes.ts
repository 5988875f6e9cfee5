import type { HostStore } from '#domain';
import type { Database } from '#postgres';
import type { TemporalConnection } from '#temporal';
import type { HealthProbe } from './health.service.js';

const S3_DEADLINE_MS = 1_000;

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

/** Any answer will do, also a refusal: it is the host's part to write objects, and only there are the keys used. */
export const s3Probe = (endpoint: string): HealthProbe => ({
  name: 's3',
  neededForReady: false,
  check: async () => {
    const response = await fetch(endpoint, {
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.timeout(S3_DEADLINE_MS),
    });
    const answered = response.status < 500;
    return { state: answered ? 'up' : 'down', detail: `It answers with status ${response.status}.` };
  },
});
