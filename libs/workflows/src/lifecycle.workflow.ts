import type { OperationInput, OperationResult } from './contract.js';
import { runOperation } from './operation-run.js';

/**
 * The operations that bring a sandbox up, down or away. What each does, in which order and how it is undone, are the plans
 * of the domain; how a step is done is one table for all of them. A step is safe to repeat and fenced by its operation
 * and the generation. None of them may leave a sandbox in a state that nobody ends.
 */
export async function startSandbox(input: OperationInput): Promise<OperationResult> {
  return await runOperation('start', input);
}

export async function stopSandbox(input: OperationInput): Promise<OperationResult> {
  return await runOperation('stop', input);
}

export async function restartSandbox(input: OperationInput): Promise<OperationResult> {
  return await runOperation('restart', input);
}

export async function deleteSandbox(input: OperationInput): Promise<OperationResult> {
  return await runOperation('delete', input);
}

export async function snapshotSandbox(input: OperationInput): Promise<OperationResult> {
  return await runOperation('snapshot', input);
}

export async function restoreSandbox(input: OperationInput): Promise<OperationResult> {
  return await runOperation('restore', input);
}

export async function changeSandbox(input: OperationInput): Promise<OperationResult> {
  return await runOperation('change', input);
}
