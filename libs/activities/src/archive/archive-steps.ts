import { randomUUID } from 'node:crypto';
import {
  limits,
  workspaceId,
  type Log,
  type Operation,
  type OperationStore,
  type Sandbox,
  type SandboxStore,
  type Snapshot,
  type StepName,
  type WakeSender,
  type WorkspaceId,
  type WorkspaceRef,
} from '#domain';
import type { StepInput } from '../contract.js';
import { unpackSnapshot } from './unpack-snapshot.js';
import { writeSnapshot, type Course, type SnapshotPorts } from './write-snapshot.js';

export interface ArchiveStepPorts extends SnapshotPorts {
  readonly sandboxes: SandboxStore;
  readonly operations: OperationStore;
  readonly wake: WakeSender;
  readonly log: Log;
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

/**
 * Each attempt fills a workspace of its own, and removes nothing but that: so one that was thought dead can do no harm to
 * what another one has made, which may be in use. What a crash leaves is removed by the reconcile after the operation.
 */
export async function unpackSnapshotStep(
  ports: ArchiveStepPorts,
  input: StepInput,
  sandbox: Sandbox,
  signal: AbortSignal,
): Promise<void> {
  const { options, result } = await ports.operations.get(input.operationId);
  if (unpackedBy(result) !== undefined) return;
  const { snapshotId } = options;
  if (snapshotId === undefined) throw new TypeError(`The restore ${input.operationId} names no snapshot.`);
  const { summary } = await ports.snapshots.get(snapshotId);
  const course = courseOf(ports, input, 'unpack_snapshot', summary?.streamBytes ?? null, signal);
  const workspace = { sandboxId: sandbox.id, workspaceId: workspaceId(randomUUID()) };
  try {
    const snapshot = await unpackSnapshot(ports, snapshotId, workspace, sandbox, course);
    const { result: meanwhile } = await ports.operations.get(input.operationId);
    // The first one is what the sandbox gets, and may have it already.
    if (unpackedBy(meanwhile) === undefined) {
      const unpacked = { ...resultOf(snapshot), workspaceId: workspace.workspaceId };
      await ports.operations.recordResult(input.operationId, unpacked);
    }
  } finally {
    await removeUnused(ports, input, workspace);
  }
}

/** Unless it is what was recorded, also where only the answer to that was lost. */
async function removeUnused(
  { operations, engine, log }: ArchiveStepPorts,
  { operationId }: StepInput,
  workspace: WorkspaceRef,
): Promise<void> {
  try {
    if (unpackedBy((await operations.get(operationId)).result) === workspace.workspaceId) return;
    await engine.removeWorkspaces([workspace]);
  } catch (error) {
    log.warn(
      { err: error, ...workspace },
      'What an attempt has unpacked in vain stays until the next reconcile.',
    );
  }
}

/** What a restore switches to. Restores that unpacked before workspaces had ids of their own used theirs. */
export function workspaceToSwitchTo({ id, result }: Pick<Operation, 'id' | 'result'>): WorkspaceId {
  return unpackedBy(result) ?? workspaceId(id);
}

function unpackedBy(result: Operation['result']): WorkspaceId | undefined {
  const unpacked = result?.['workspaceId'];
  return typeof unpacked === 'string' ? workspaceId(unpacked) : undefined;
}

/** The row first: a workspace that it names is never removed. */
export async function revertWorkspace(
  { sandboxes, engine }: ArchiveStepPorts,
  { operationId }: StepInput,
  sandbox: Sandbox,
  operation: Operation,
): Promise<void> {
  const before = operation.options.before?.workspaceId ?? null;
  const unpacked = workspaceToSwitchTo(operation);
  if (sandbox.workspaceId !== before) {
    if (!(await sandboxes.switchWorkspace(sandbox.id, operationId, before))) return;
  }
  await engine.removeWorkspaces([{ sandboxId: sandbox.id, workspaceId: unpacked }]);
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
