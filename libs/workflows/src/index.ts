/**
 * The Workflows: what happens when. Deterministic; they order Activities and wait for signals, and they touch nothing
 * themselves. Clients use `contract.ts` instead of this file, which is the entry point of the Workflow bundle.
 */
export { bulkOperation } from './bulk.workflow.js';
export { exec } from './exec.workflow.js';
export { gitClone, gitCommit, gitCommitAndPush, gitPull, gitPullRequest, gitPush } from './git.workflow.js';
export {
  changeSandbox,
  deleteSandbox,
  restartSandbox,
  restoreSandbox,
  snapshotSandbox,
  startSandbox,
  stopSandbox,
} from './lifecycle.workflow.js';
export { reconcile } from './reconcile.workflow.js';
export { retention } from './retention.workflow.js';
export { seal } from './seal.workflow.js';
export { sweep } from './sweep.workflow.js';
