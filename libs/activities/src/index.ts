/**
 * What touches the world: units that are safe to repeat, over the domain's ports. An Activity heartbeats if it is slow,
 * translates errors and decides nothing about what comes next. The host's background parts (supervision, lease,
 * observation) live here too, because they share its effects and its rules.
 */
export type * from './contract.js';
export { createBulkActivities } from './bulk/bulk.activities.js';
export type { BulkPorts } from './bulk/bulk.activities.js';
export { createControlActivities } from './control/control.activities.js';
export type { ControlActivityPorts } from './control/control-ports.js';
export { createExecActivities } from './exec/exec.activities.js';
export { ExecInput } from './exec/exec-input.js';
export { ExecSupervisor } from './exec/exec-supervisor.js';
export type { ExecSupervisorPorts } from './exec/supervisor-ports.js';
export { FileVisits } from './files/file-visits.js';
export { createGitActivities } from './git/git.activities.js';
export type { GitActivityPorts } from './git/git.activities.js';
export { GitLooks } from './git/git-looks.js';
export type { GitSettings } from './git/git-program.js';
export { createHostActivities } from './host/host.activities.js';
export type { HostActivityPorts } from './host/host-ports.js';
export { HealthWatch } from './host/health-watch.js';
export { HostPresence } from './host/host-presence.js';
export { SandboxObserver } from './host/sandbox-observer.js';
export { createSealingActivities } from './sealing/sealing.activities.js';
export { SealPass } from './sealing/seal-pass.js';
export type { SealPorts } from './sealing/seal-pass.js';
export { createRetentionActivities } from './retention/retention.activities.js';
export type { RetentionPorts } from './retention/retention-pass.js';
