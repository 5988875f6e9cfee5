import type { Logger } from 'pino';
import {
  PostgresBulkStore,
  PostgresExecStore,
  PostgresHostStore,
  PostgresOperationStore,
  PostgresRetentionStore,
  PostgresSandboxStore,
  PostgresSealingStore,
  PostgresSearchStore,
  PostgresSegmentStore,
  PostgresSweepStore,
  PostgresWakeSender,
  type Database,
} from '#postgres';

export function createStores(database: Database, log: Logger) {
  const wake = new PostgresWakeSender(database, (error) =>
    log.warn({ err: error }, 'A wake-up was not sent.'),
  );
  return {
    sandboxes: new PostgresSandboxStore(database),
    operations: new PostgresOperationStore(database),
    execs: new PostgresExecStore(database, wake),
    bulks: new PostgresBulkStore(database),
    hosts: new PostgresHostStore(database),
    segments: new PostgresSegmentStore(database),
    sealing: new PostgresSealingStore(database),
    search: new PostgresSearchStore(database),
    retention: new PostgresRetentionStore(database),
    sweeps: new PostgresSweepStore(database),
    wake,
  };
}

export type Stores = ReturnType<typeof createStores>;
