import {
  desiredAfterGivingUp,
  isGitKind,
  type CredentialStore,
  type OperationStore,
  type Sandbox,
  type SandboxStore,
  type WakeSender,
} from '#domain';
import type { EndInput } from '../contract.js';

/**
 * Ends an operation that did not come about, with the reason on the sandbox. Its undo has written what it saw; where there
 * was none, a sandbox that was starting counts as `stopped`, and anything else stays for the next look at the engine.
 */
export async function endOperation(
  ports: {
    readonly sandboxes: SandboxStore;
    readonly operations: OperationStore;
    readonly credentials: Pick<CredentialStore, 'removeOfOperation'>;
    readonly wake: WakeSender;
  },
  { operationId, sandboxId, state, failure }: EndInput,
): Promise<void> {
  const { sandboxes, operations, credentials, wake } = ports;
  if (isGitKind((await operations.get(operationId)).kind)) {
    // It has changed nothing about the sandbox, so nothing is said about it there.
    await credentials.removeOfOperation(operationId);
  } else {
    const sandbox = await sandboxes.get(sandboxId);
    const { generation, containerId } = sandbox;
    await sandboxes.observeByOperation(sandboxId, operationId, {
      generation,
      containerId,
      ...endedStates(sandbox),
      failure,
    });
  }
  await operations.move(operationId, ['pending', 'running', 'parked'], state, { failure });
  wake.wake(`operation:${operationId}`);
  wake.wake(`sandbox:${sandboxId}`);
}

/** What the request had set does not hold any more: the wish is what there is. */
function endedStates({ observedState: seen }: Sandbox): Pick<Sandbox, 'observedState' | 'desiredState'> {
  const observedState = seen === 'starting' ? 'stopped' : seen;
  return { observedState, desiredState: desiredAfterGivingUp(observedState) };
}
