import {
  createBulkActivities,
  createControlActivities,
  createRetentionActivities,
  createSealingActivities,
  type BulkActivities,
  type ControlActivities,
  type RetentionActivities,
  type SealingActivities,
} from '#activities';
import type { RetentionPolicy } from '#domain';
import { S3ObjectStore } from '#s3';
import type { TemporalWorkflowRuns } from '#temporal';
import type { Logger } from 'pino';
import type { WorkerConfig } from './config.js';
import type { Stores } from './stores.js';

/** The part that needs no machine with a Docker engine: what the Workflows ask of the database and of object storage. */
export interface ControlRole {
  readonly activities: ControlActivities & BulkActivities & SealingActivities & RetentionActivities;
  close(): void;
}

export function createControlRole(
  config: WorkerConfig,
  stores: Stores,
  runs: TemporalWorkflowRuns,
  log: Logger,
): ControlRole {
  const objects = new S3ObjectStore({
    endpoint: config.S3_ENDPOINT,
    region: config.S3_REGION,
    bucket: config.S3_BUCKET,
    accessKey: config.S3_ACCESS_KEY,
    secretKey: config.S3_SECRET_KEY,
  });
  return {
    activities: {
      ...createControlActivities({ ...stores, runs, log }),
      ...createBulkActivities({ ...stores, log }),
      ...createSealingActivities({ ...stores, hot: stores.execs, objects, log }),
      ...createRetentionActivities({ ...stores, objects, policy: policyOf(config), log }),
    },
    close: () => objects.close(),
  };
}

function policyOf(config: WorkerConfig): RetentionPolicy {
  return {
    outputsMax: config.BERTH_RETENTION_OUTPUTS_MAX,
    bytesMax: config.BERTH_RETENTION_BYTES_MAX,
    ageMsMax: config.BERTH_RETENTION_AGE_SECONDS_MAX * 1_000,
    ageMsMin: config.BERTH_RETENTION_AGE_SECONDS_MIN * 1_000,
  };
}
