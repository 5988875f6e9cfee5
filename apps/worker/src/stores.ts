import type { Logger } from 'pino';
import {
  PostgresExecStore,
  PostgresHostStore,
  PostgresOperationStore,
  PostgresSandboxStore,
  PostgresSweepStore,
  PostgresWakeSender,
  type Database,
} from '#postgres';

export function createStores(database: Database, log: Logger) {
  return {
    sandboxes: new PostgresSandboxStore(database),
    operations: new PostgresOperationStore(database),
    execs: new PostgresExecStore(database),
    hosts: new PostgresHostStore(database),
    sweeps: new PostgresSweepStore(database),
    wake: new PostgresWakeSender(database, (error) => log.warn({ err: error }, 'A wake-up was not sent.')),
  };
}

export type Stores = ReturnType<typeof createStores>;
