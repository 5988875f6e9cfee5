import type { Logger } from 'pino';
import {
  PostgresBulkStore,
  PostgresCredentialStore,
  PostgresExecStore,
  PostgresHostStore,
  PostgresOperationStore,
  PostgresRetentionStore,
  PostgresSandboxStore,
  PostgresSealingStore,
  PostgresSearchStore,
  PostgresSegmentStore,
  PostgresSnapshotStore,
  PostgresSweepStore,
  PostgresWakeSender,
  type Database,
  type SealingKeys,
} from '#postgres';

export function createStores(database: Database, keys: SealingKeys, log: Logger) {
  const wake = new PostgresWakeSender(database, (error) =>
    log.warn({ err: error }, 'A wake-up was not sent.'),
  );
  return {
    sandboxes: new PostgresSandboxStore(database),
    operations: new PostgresOperationStore(database),
    execs: new PostgresExecStore(database, wake),
    bulks: new PostgresBulkStore(database),
    credentials: new PostgresCredentialStore(database, keys),
    hosts: new PostgresHostStore(database),
    segments: new PostgresSegmentStore(database),
    sealing: new PostgresSealingStore(database),
    search: new PostgresSearchStore(database),
    retention: new PostgresRetentionStore(database),
    snapshots: new PostgresSnapshotStore(database),
    sweeps: new PostgresSweepStore(database),
    wake,
  };
}

export type Stores = ReturnType<typeof createStores>;
