/**
 * Temporal, from the outside: starting, signalling and inspecting runs, and the Schedules. It is used by both processes
 * and must never hold what a run decides; that is in the Workflows.
 */
export { TemporalConnection } from './connection.js';
export type { TemporalOptions } from './connection.js';
export { ensureSchedules } from './schedules.js';
export { TemporalWorkflowRuns } from './workflow-runs.js';
