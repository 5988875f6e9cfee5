import {
  isDomainError,
  observe,
  observedStateOf,
  planContainer,
  type ContainerEngine,
  type HostId,
  type Log,
  type OperationStore,
  type Sandbox,
  type SandboxStore,
  type SurveyedContainer,
  type WakeSender,
  type SandboxId,
  type WorkspaceRef,
} from '#domain';
import type { ReconcileResult } from '../contract.js';
import type { ExecSupervisor } from '../exec/exec-supervisor.js';

export interface ReconcilePorts {
  readonly sandboxes: SandboxStore;
  readonly operations: Pick<OperationStore, 'liveSandboxes'>;
  readonly engine: ContainerEngine;
  readonly supervisor: Pick<ExecSupervisor, 'continueQueue'>;
  readonly wake: WakeSender;
  readonly log: Log;
}

/**
 * Compares what the engine of this host has with what the rows say, and makes them agree: names and networks are given back, what
 * rows prove to be left over is removed, drift is written on the row. It leaves alone what an operation holds and what
 * no row knows. The engine's events do the same at once; this is for what they have missed.
 */
export async function reconcileHost(ports: ReconcilePorts, hostId: HostId): Promise<ReconcileResult> {
  const { sandboxes, operations, engine } = ports;
  // In this order: what is made after the rows were read has a row that says that an operation holds it.
  const rows = new Map((await sandboxes.listOnHost(hostId)).map((row) => [row.id, row]));
  const workspaces = await engine.listWorkspaces();
  const held = await operations.liveSandboxes(hostId);
  const survey = await engine.survey();
  const done = { looked: rows.size, changed: 0, reclaimed: 0, removed: 0, reported: 0 };
  for (const found of survey) {
    if (held.has(found.sandboxId)) continue;
    const effect = await settleContainer(ports, found, rows.get(found.sandboxId));
    if (effect !== undefined) done[effect] += 1;
  }
  for (const row of rows.values()) {
    if (row.generation === 0 || held.has(row.id)) continue;
    if (await settleRow(ports, row, survey)) done.changed += 1;
  }
  done.removed += await removeWorkspaces(ports, workspaces, held);
  return done;
}

/**
 * What a restore has replaced, or left when it was given up. A workspace belongs to one operation, which is not live any
 * more where it was listed before those that are: so the row, read after both, says for ever whether it is used.
 */
async function removeWorkspaces(
  { sandboxes, engine, log }: ReconcilePorts,
  workspaces: readonly WorkspaceRef[],
  held: ReadonlySet<SandboxId>,
): Promise<number> {
  let removed = 0;
  const several = workspaces.filter(
    ({ sandboxId, workspaceId }) =>
      !held.has(sandboxId) &&
      workspaces.some((other) => other.sandboxId === sandboxId && other.workspaceId !== workspaceId),
  );
  for (const sandboxId of new Set(several.map((workspace) => workspace.sandboxId))) {
    const row = await findDeleted(sandboxes, { sandboxId });
    // A sandbox that lost its own keeps the others, until people have decided.
    if (row === undefined || !several.some((one) => isOwn(one, row))) continue;
    const listed = several.filter((one) => one.sandboxId === sandboxId && !isOwn(one, row));
    const gone = await engine.removeWorkspaces(listed);
    if (gone > 0) log.info({ sandboxId, gone }, 'Workspaces that a restore has replaced are removed.');
    removed += gone;
  }
  return removed;
}

const isOwn = (workspace: WorkspaceRef, row: Sandbox): boolean =>
  workspace.sandboxId === row.id && workspace.workspaceId === row.workspaceId;

async function settleContainer(
  { sandboxes, engine, log }: ReconcilePorts,
  found: SurveyedContainer,
  listed: Sandbox | undefined,
): Promise<'reclaimed' | 'removed' | 'reported' | undefined> {
  // Rows of deleted sandboxes are not listed, and one proves as much as any other.
  const row = listed ?? (await findDeleted(sandboxes, found));
  const plan = planContainer(found, row);
  if (plan === 'keep') return undefined;
  const what = { sandboxId: found.sandboxId, generation: found.generation, container: found.name };
  if (plan === 'reclaim' && (await engine.reclaimName(found))) {
    log.warn(what, 'A container had another name; it has its own again.');
    return 'reclaimed';
  }
  if (plan === 'reconnect') {
    await engine.reconnect(found);
    log.warn(what, 'A container was not in its network; it is again.');
    return 'reclaimed';
  }
  if (plan === 'remove') {
    log.warn(what, 'A container that its row does not need any more is removed.');
    await engine.removeContainers(found);
    return 'removed';
  }
  log.warn(what, 'A container has labels of Berth and no row; it is left to people.');
  return 'reported';
}

async function findDeleted(
  sandboxes: SandboxStore,
  { sandboxId }: Pick<SurveyedContainer, 'sandboxId'>,
): Promise<Sandbox | undefined> {
  try {
    return await sandboxes.get(sandboxId);
  } catch (error) {
    if (isDomainError(error, 'not_found')) return undefined;
    throw error;
  }
}

/** The engine is asked again where the survey and the row differ: the survey is older than both. */
async function settleRow(
  { sandboxes, engine, supervisor, wake, log }: ReconcilePorts,
  row: Sandbox,
  survey: readonly SurveyedContainer[],
): Promise<boolean> {
  const surveyed = survey.find((one) => one.sandboxId === row.id && one.generation === row.generation);
  const expected = observedStateOf(surveyed?.state);
  if (expected === row.observedState) return false;
  const view = await engine.inspect({ sandboxId: row.id, generation: row.generation });
  const observation = observe(row, view);
  const { observedState } = observation;
  const seen = { ...observation, generation: row.generation, unchangedSince: row.updatedAt };
  if (!(await sandboxes.observeDrift(row.id, seen))) return false;
  log.info({ sandboxId: row.id, from: row.observedState, to: observedState }, 'A sandbox had drifted.');
  wake.wake(`sandbox:${row.id}`);
  if (observedState === 'running') await supervisor.continueQueue(row.id);
  return true;
}
