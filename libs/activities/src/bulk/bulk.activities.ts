import {
  limits,
  ownControl,
  type Bulk,
  type BulkId,
  type BulkRunStore,
  type ExecStore,
  type Log,
  type OperationStore,
  type RunningItem,
  type WakeSender,
} from '#domain';
import { execInput, operationInput } from '#workflows/contract';
import type { AdvanceBulkInput, BulkActivities, BulkItemWork, BulkProgress } from '../contract.js';
import { translated } from '../failures.js';
import { withHeartbeat } from '../heartbeat.js';

export interface BulkPorts {
  readonly bulks: BulkRunStore;
  readonly operations: Pick<OperationStore, 'markWorkflowsStarted'>;
  readonly execs: Pick<ExecStore, 'markWorkflowsStarted'>;
  readonly wake: WakeSender;
  readonly log: Log;
}

export function createBulkActivities(ports: BulkPorts): BulkActivities {
  return translated<BulkActivities>({ advanceBulk: (input) => withHeartbeat(() => advance(ports, input)) });
}

/** Each statement of it may be the last one before a crash: what it has not done is done by the next call. */
async function advance(ports: BulkPorts, input: AdvanceBulkInput): Promise<BulkProgress> {
  const { bulks, operations, execs, wake } = ports;
  const { bulkId, started } = input;
  if (started.operationIds.length > 0) await operations.markWorkflowsStarted(started.operationIds);
  if (started.execIds.length > 0) await execs.markWorkflowsStarted(started.execIds);
  await bulks.settle(bulkId);
  await applyControls(ports, input);
  await applyOwnControl(ports, await bulks.attend(bulkId));
  const waitMs = input.begins ? await beginNext(ports, bulkId) : null;
  const running = await bulks.running(bulkId);
  const bulk = await bulks.finish(bulkId);
  wake.wake(`bulk:${bulkId}`);
  return progressOf(bulk, running, input.known, waitMs);
}

async function applyControls(
  { bulks, log }: BulkPorts,
  { bulkId, controls }: AdvanceBulkInput,
): Promise<void> {
  for (const asked of controls) {
    const { decision } = await bulks.control(bulkId, asked);
    if (decision !== 'apply') log.info({ bulkId, asked, decision }, 'A signal changed nothing.');
  }
}

async function applyOwnControl({ bulks, log }: BulkPorts, bulk: Bulk): Promise<void> {
  const own = ownControl(bulk, Date.now());
  if (own === undefined) return;
  log.warn({ bulkId: bulk.id, control: own }, 'A bulk operation is told to stop by its own limits.');
  await bulks.control(bulk.id, own);
  await bulks.attend(bulk.id);
}

/** Until its limits are reached, or for as long as one Activity should take. */
async function beginNext(ports: BulkPorts, id: BulkId): Promise<number | null> {
  const { bulks } = ports;
  for (let begun = 0; begun < limits.BULK_STEP_ITEMS_MAX;) {
    const next = await bulks.begin(id);
    if (next.waitMs > 0) return next.waitMs;
    if (next.begun === 0) return null;
    begun += next.begun;
    // Some may have failed at once, which takes no room: the budget is what ends that.
    await applyOwnControl(ports, await bulks.attend(id));
  }
  return 0;
}

function progressOf(
  { state, counts, round, pauseNo, pause }: Bulk,
  running: readonly RunningItem[],
  known: readonly string[],
  waitMs: number | null,
): BulkProgress {
  const followed = new Set(known);
  return {
    state,
    counts,
    round,
    pauseNo,
    pause,
    running: running.map(({ id }) => id),
    unknown: running.filter(({ id }) => !followed.has(id)).map(workOf),
    waitMs,
  };
}

const workOf = ({ id, operation, exec }: RunningItem): BulkItemWork => ({
  id,
  operation: operation && { kind: operation.kind, input: operationInput(operation) },
  exec: exec && execInput(exec),
});
