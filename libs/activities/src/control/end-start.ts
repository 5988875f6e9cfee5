import type { Failure, OperationStore, SandboxStore, WakeSender } from '#domain';
import type { StepInput } from '../contract.js';

/** Ends a start that did not come about. The sandbox is `stopped` with the reason, and may be started again. */
export async function endStart(
  ports: { readonly sandboxes: SandboxStore; readonly operations: OperationStore; readonly wake: WakeSender },
  input: StepInput & { state: 'failed' | 'canceled'; failure: Failure },
): Promise<void> {
  const { sandboxes, operations, wake } = ports;
  const { generation, containerId } = await sandboxes.get(input.sandboxId);
  await sandboxes.observeByOperation(input.sandboxId, input.operationId, {
    generation,
    containerId,
    observedState: 'stopped',
    failure: input.failure,
  });
  await operations.move(input.operationId, ['pending', 'running', 'parked'], input.state, {
    failure: input.failure,
  });
  wake.wake(`operation:${input.operationId}`);
  wake.wake(`sandbox:${input.sandboxId}`);
}
