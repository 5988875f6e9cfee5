/**
 * Postgres: what exists. The tables, their migrations, and the stores that are the domain's ports. Every change of state
 * is a compare-and-set in one statement or one short transaction; it must never decide what should happen next.
 */
export { Database } from './database.js';
export type { DatabaseOptions } from './database.js';
export { PostgresBulkStore } from './stores/bulk.store.js';
export { SealingKeys } from './sealing-keys.js';
export { PostgresCredentialStore } from './stores/credential.store.js';
export { PostgresExecStore } from './stores/exec.store.js';
export { PostgresHostStore } from './stores/host.store.js';
export { PostgresIdempotencyStore } from './stores/idempotency.store.js';
export { PostgresOperationStore } from './stores/operation.store.js';
export { PostgresRetentionStore } from './stores/retention.store.js';
export { PostgresSandboxStore } from './stores/sandbox.store.js';
export { PostgresSealingStore } from './stores/segment-sealing.store.js';
export { PostgresSearchStore } from './stores/search.store.js';
export { PostgresSegmentStore } from './stores/segment.store.js';
export { PostgresSnapshotStore } from './stores/snapshot.store.js';
export { PostgresSweepStore } from './stores/sweep.store.js';
export { PostgresWakeReceiver, PostgresWakeSender } from './wake.js';
