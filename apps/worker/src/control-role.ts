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
import type { ObjectStore, RetentionPolicy, SnapshotPolicy } from '#domain';
import type { TemporalWorkflowRuns } from '#temporal';
import type { Logger } from 'pino';
import type { WorkerConfig } from './config.js';
import type { Stores } from './stores.js';

/** The part that needs no machine with a Docker engine: what the Workflows ask of the database and of object storage. */
export interface ControlRole {
  readonly activities: ControlActivities & BulkActivities & SealingActivities & RetentionActivities;
}

export function createControlRole(
  config: WorkerConfig,
  stores: Stores,
  objects: ObjectStore,
  runs: TemporalWorkflowRuns,
  log: Logger,
): ControlRole {
  return {
    activities: {
      ...createControlActivities({ ...stores, runs, log }),
      ...createBulkActivities({ ...stores, log }),
      ...createSealingActivities({ ...stores, hot: stores.execs, objects, log }),
      ...createRetentionActivities({
        ...stores,
        objects,
        policy: policyOf(config),
        snapshotPolicy: snapshotPolicyOf(config),
        log,
      }),
    },
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

function snapshotPolicyOf(config: WorkerConfig): SnapshotPolicy {
  return {
    keptPerSandbox: config.BERTH_RETENTION_SNAPSHOTS_MAX,
    deletedAgeMsMax: config.BERTH_RETENTION_AGE_SECONDS_MAX * 1_000,
  };
}
