import {
  limits,
  type Operation,
  type OperationStore,
  type Sandbox,
  type SandboxStore,
  type Snapshot,
  type StepName,
  type WakeSender,
} from '#domain';
import type { StepInput } from '../contract.js';
import { unpackSnapshot } from './unpack-snapshot.js';
import { writeSnapshot, type Course, type SnapshotPorts } from './write-snapshot.js';

export interface ArchiveStepPorts extends SnapshotPorts {
  readonly sandboxes: SandboxStore;
  readonly operations: OperationStore;
  readonly wake: WakeSender;
}

export async function writeSnapshotStep(
  ports: ArchiveStepPorts,
  input: StepInput,
  sandbox: Sandbox,
  signal: AbortSignal,
): Promise<void> {
  const course = courseOf(ports, input, 'write_snapshot', null, signal);
  const snapshot = await writeSnapshot(ports, input, sandbox, course);
  await ports.operations.recordResult(input.operationId, resultOf(snapshot));
}

/** One that was switched to already is left alone. */
export async function unpackSnapshotStep(
  ports: ArchiveStepPorts,
  input: StepInput,
  sandbox: Sandbox,
  signal: AbortSignal,
): Promise<void> {
  if (sandbox.workspaceId === input.operationId) return;
  const { snapshotId } = (await ports.operations.get(input.operationId)).options;
  if (snapshotId === undefined) throw new TypeError(`The restore ${input.operationId} names no snapshot.`);
  const { summary } = await ports.snapshots.get(snapshotId);
  const course = courseOf(ports, input, 'unpack_snapshot', summary?.streamBytes ?? null, signal);
  const snapshot = await unpackSnapshot(ports, input, sandbox, snapshotId, course);
  await ports.operations.recordResult(input.operationId, resultOf(snapshot));
}

/** The row first: a workspace that it names is never removed. */
export async function revertWorkspace(
  { sandboxes, engine }: ArchiveStepPorts,
  { operationId }: StepInput,
  sandbox: Sandbox,
  { options }: Operation,
): Promise<void> {
  const workspaceId = options.before?.workspaceId ?? null;
  if (sandbox.workspaceId === operationId) {
    if (!(await sandboxes.switchWorkspace(sandbox.id, operationId, workspaceId))) return;
  }
  await engine.removeWorkspaces([{ sandboxId: sandbox.id, workspaceId: operationId }]);
}

function courseOf(
  { operations, wake }: ArchiveStepPorts,
  { operationId }: StepInput,
  step: StepName,
  totalBytes: number | null,
  signal: AbortSignal,
): Course {
  let notedAt = 0;
  return {
    signal,
    async note(bytes) {
      signal.throwIfAborted();
      if (performance.now() - notedAt < limits.PROGRESS_MS && bytes !== totalBytes) return;
      notedAt = performance.now();
      await operations.noteProgress(operationId, step, { bytes, totalBytes });
      wake.wake(`operation:${operationId}`);
    },
  };
}

function resultOf({ id, summary }: Snapshot) {
  const { entries = 0, bytes = 0, changed = 0, skipped = 0, sha256 = '' } = summary ?? {};
  return { snapshotId: id, entries, bytes, changed, skipped, sha256 };
}
