import { failureFrom, type OperationStore, type WakeSender } from '#domain';
import type { StepInput } from './contract.js';

/** Runs one attempt of a step of an operation and writes its beginning, its end and its failure on the operation's row. */
export async function recordedStep(
  ports: { readonly operations: OperationStore; readonly wake: WakeSender },
  name: string,
  input: StepInput,
  work: () => Promise<void>,
): Promise<void> {
  const { operations, wake } = ports;
  const topic = `operation:${input.operationId}` as const;
  await operations.beginStep(input.operationId, name, new Date().toISOString());
  wake.wake(topic);
  try {
    await work();
  } catch (error) {
    await operations.endStep(input.operationId, name, new Date().toISOString(), failureFrom(error));
    wake.wake(topic);
    throw error;
  }
  await operations.endStep(input.operationId, name, new Date().toISOString(), null);
  wake.wake(topic);
}
