import { randomUUID } from 'node:crypto';
import {
  limits,
  operationId,
  type Exec,
  type Failure,
  type Operation,
  type OperationId,
  type SandboxId,
  type StrandedSandbox,
  type SweepRow,
} from '#domain';
import type { SweepResult } from '../contract.js';
import type { ControlActivityPorts } from './control-ports.js';
import { endOperation } from './end-operation.js';
import { sweepBulks } from './sweep-bulks.js';

/** Its operations have ids of their own, so this is never compared with anything. */
const REQUEST_OF_THE_SWEEP = 'sweep';

const RUN_VANISHED: Failure = {
  code: 'invalid_state',
  message: 'Its run was ended from outside, so the operation was given up.',
};

/**
 * Row first, then Workflow: starts the run of a row that a dead API left without one, and a sandbox that stopped while execs
 * waited for it or that its policy wants up; stops what nobody uses; asks again for cancels whose signal may have been
 * lost, and gives a truthful end to a live row whose run was terminated or has vanished.
 */
export async function sweepRows(ports: ControlActivityPorts): Promise<SweepResult> {
  const { sweeps } = ports;
  const unstarted = await sweeps.listUnstarted(limits.SWEEP_START_AFTER_MS, limits.SWEEP_ROWS_MAX);
  for (const row of unstarted) await start(ports, row);
  const stranded = await sweeps.listStranded(limits.SWEEP_STRANDED_AFTER_MS, limits.SWEEP_ROWS_MAX);
  for (const sandbox of stranded) await startStranded(ports, sandbox);
  const restarted = await beginAll(
    ports,
    await sweeps.listRestartable(limits.SWEEP_ROWS_MAX),
    (id, operation) => ports.sandboxes.beginRestart(id, operation),
  );
  const idled = await beginAll(ports, await sweeps.takeIdle(limits.SWEEP_ROWS_MAX), (id, operation) =>
    ports.sandboxes.beginIdleStop(id, operation),
  );
  const canceling = await sweeps.takeCanceling(
    limits.SWEEP_CANCEL_AFTER_MS,
    limits.SWEEP_VERIFY_AFTER_MS,
    limits.SWEEP_ROWS_MAX,
  );
  for (const exec of canceling) await cancelAgain(ports, exec);
  const unverified = await sweeps.takeUnverified(limits.SWEEP_VERIFY_AFTER_MS, limits.SWEEP_ROWS_MAX);
  let repaired = 0;
  for (const row of unverified) if (await repair(ports, row)) repaired += 1;
  const woken = await sweepBulks(ports);
  await sweeps.forgetKeys(limits.IDEMPOTENCY_KEY_AGE_MS_MAX, limits.SWEEP_ROWS_MAX);
  await ports.credentials.removeLeft(limits.CREDENTIAL_LEFT_AFTER_MS, limits.SWEEP_ROWS_MAX);
  return {
    started: unstarted.length,
    restarted: stranded.length + restarted,
    idled,
    verified: unverified.length,
    repaired,
    canceled: canceling.length,
    woken,
  };
}

async function start(ports: ControlActivityPorts, row: SweepRow): Promise<void> {
  const { runs, execs, log } = ports;
  log.warn({ kind: row.kind, id: row.id }, 'A row had no run; its run is started now.');
  if (row.kind === 'exec') {
    await runs.startExec(row.exec);
    await execs.markWorkflowsStarted([row.id]);
  } else {
    await startRun(ports, row.operation);
  }
}

/** As the request would have done that has left the exec there, had it come a moment later. */
async function startStranded(ports: ControlActivityPorts, stranded: StrandedSandbox): Promise<void> {
  const { sandboxes, log } = ports;
  const { operation } = await sandboxes.ensureStartedById(stranded.tenantId, stranded.id, {
    id: operationId(randomUUID()),
    requestHash: REQUEST_OF_THE_SWEEP,
  });
  if (operation?.state !== 'pending') return;
  log.warn({ sandboxId: stranded.id, id: operation.id }, 'Execs wait in a stopped sandbox; it is started.');
  await startRun(ports, operation);
}

/** Operations that nobody asked for. Each is on its row before its run begins, so the next sweep goes on where this one dies. */
async function beginAll(
  ports: ControlActivityPorts,
  ids: readonly SandboxId[],
  begin: (id: SandboxId, operation: OperationId) => Promise<Operation | undefined>,
): Promise<number> {
  let begun = 0;
  for (const id of ids) {
    const operation = await begin(id, operationId(randomUUID()));
    if (operation === undefined) continue;
    const { kind, options } = operation;
    ports.log.info(
      { sandboxId: id, id: operation.id, kind, because: options.because },
      'A sandbox is taken care of.',
    );
    ports.wake.wake(`sandbox:${id}`);
    await startRun(ports, operation);
    begun += 1;
  }
  return begun;
}

async function startRun({ runs, operations }: ControlActivityPorts, operation: Operation): Promise<void> {
  await runs.startOperation(operation);
  await operations.markWorkflowsStarted([operation.id]);
}

async function cancelAgain({ runs, log }: ControlActivityPorts, exec: Exec): Promise<void> {
  log.warn({ id: exec.id }, 'An exec outlived its cancel; it is canceled again.');
  await runs.cancelExecAnew(exec);
}

async function repair(ports: ControlActivityPorts, row: SweepRow): Promise<boolean> {
  const { runs, log } = ports;
  const run = row.kind === 'exec' ? await runs.execRun(row.id) : await runs.operationRun(row.id);
  if (run === 'running') return false;
  log.warn({ kind: row.kind, id: row.id, run }, 'A live row has no run any more; it is ended.');
  if (row.kind === 'exec') {
    await runs.cancelExecAnew(row.exec);
  } else {
    const { sandboxId } = row.operation;
    await endOperation(ports, { operationId: row.id, sandboxId, state: 'failed', failure: RUN_VANISHED });
  }
  return true;
}
