import type { OperationInput, OperationResult } from './contract.js';
import { runOperation } from './operation-run.js';

/**
 * The operations on a repository in a sandbox that runs. Like the others they are plans of the domain; what they work on is
 * on their row. Each step finds what an earlier attempt of it has brought about and does not bring it about twice.
 */
export async function gitClone(input: OperationInput): Promise<OperationResult> {
  return await runOperation('git_clone', input);
}

export async function gitCommit(input: OperationInput): Promise<OperationResult> {
  return await runOperation('git_commit', input);
}

export async function gitPush(input: OperationInput): Promise<OperationResult> {
  return await runOperation('git_push', input);
}

export async function gitPull(input: OperationInput): Promise<OperationResult> {
  return await runOperation('git_pull', input);
}

export async function gitCommitAndPush(input: OperationInput): Promise<OperationResult> {
  return await runOperation('git_commit_and_push', input);
}

export async function gitPullRequest(input: OperationInput): Promise<OperationResult> {
  return await runOperation('git_pull_request', input);
}
