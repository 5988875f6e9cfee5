import {
  desiredAfterGivingUp,
  isGitKind,
  type CredentialStore,
  type OperationStore,
  type Sandbox,
  type SandboxStore,
  touchesSandbox,
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
  const { kind } = await operations.get(operationId);
  if (touchesSandbox(kind)) await recordEnd(sandboxes, { operationId, sandboxId, failure });
  if (isGitKind(kind)) await credentials.removeOfOperation(operationId);
  await operations.move(operationId, ['pending', 'running', 'parked'], state, { failure });
  wake.wake(`operation:${operationId}`);
  wake.wake(`sandbox:${sandboxId}`);
}

async function recordEnd(
  sandboxes: SandboxStore,
  { operationId, sandboxId, failure }: Pick<EndInput, 'operationId' | 'sandboxId' | 'failure'>,
): Promise<void> {
  const sandbox = await sandboxes.get(sandboxId);
  const { generation, containerId } = sandbox;
  await sandboxes.observeByOperation(sandboxId, operationId, {
    generation,
    containerId,
    ...endedStates(sandbox),
    failure,
  });
}

/** What the request had set does not hold any more: the wish is what there is. */
function endedStates({ observedState: seen }: Sandbox): Pick<Sandbox, 'observedState' | 'desiredState'> {
  const observedState = seen === 'starting' ? 'stopped' : seen;
  return { observedState, desiredState: desiredAfterGivingUp(observedState) };
}
