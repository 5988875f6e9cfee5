import {
  decideNeed,
  decideRequest,
  decideUnasked,
  desiredAfter,
  optionsFor,
  desiredAfterGivingUp,
  DomainError,
  forgivesRestarts,
  settledOptions,
  type Failure,
  type NewOperation,
  type Operation,
  type OperationId,
  type OperationRequest,
  type RequestDecision,
  type RequestedOperation,
  type Sandbox,
  type TakenOver,
} from '#domain';
import type { SqlRunner } from '../database.js';
import {
  OPERATION_COLUMNS,
  operationFrom,
  SANDBOX_COLUMNS,
  type OperationRow,
  type SandboxRow,
  jsonOf,
} from './rows.js';
import { requireReadySnapshot } from './snapshot-use.js';

/** All of this runs in a transaction that holds the row lock of the sandbox. */
export const LIVE = `('pending', 'running', 'parked')`;

/** A start for somebody who needs the sandbox to run: the live run that leads there, or a new one if it is needed. */
export async function ensureNeeded(
  sql: SqlRunner,
  sandbox: Sandbox,
  start: Pick<NewOperation, 'id' | 'requestHash'>,
  parks = true,
): Promise<RequestedOperation> {
  const live = await liveOf(sql, sandbox);
  const asked = { ...start, kind: 'start', options: {}, parks } as const;
  return await carryOut(sql, sandbox, live, asked, decideNeed(sandbox, live));
}

export async function requestInTransaction(
  sql: SqlRunner,
  sandbox: Sandbox,
  asked: OperationRequest,
): Promise<RequestedOperation> {
  const before = await byId(sql, asked.id);
  if (before) return { sandbox, operation: before, created: false };
  const live = await liveOf(sql, sandbox);
  const settled = { ...asked, options: settledOptions(sandbox, asked) };
  const requested = await carryOut(sql, sandbox, live, settled, decideRequest(sandbox, live, settled));
  if (!requested.created || !forgivesRestarts(settled)) return requested;
  await sql(`UPDATE sandboxes SET restarts = '[]' WHERE id = $1`, [sandbox.id]);
  return { ...requested, sandbox: { ...requested.sandbox, restarts: [] } };
}

/** Of a sandbox that may just have been made: a start if it needs one, or the restore that it was made for. */
export async function firstOperation(
  sql: SqlRunner,
  sandbox: Sandbox,
  start: NewOperation,
  isNew: boolean,
): Promise<RequestedOperation> {
  const { kind, options = {}, id, requestHash } = start;
  if (kind === 'start') return await ensureNeeded(sql, sandbox, start);
  const before = await byId(sql, id);
  if (before) return { sandbox, operation: before, created: false };
  if (!isNew) {
    throw new DomainError(
      'invalid_state',
      'A sandbox of this name exists. Restore it, or take another name.',
      {
        extra: { sandboxId: sandbox.id },
      },
    );
  }
  const asked = { id, requestHash, kind, options, parks: true };
  return await create(sql, sandbox, { ...asked, options: settledOptions(sandbox, asked) }, null);
}

/** The id of an operation comes from the Idempotency-Key: under the same id only the same request may come again. */
export async function refuseOtherRequest(
  sql: SqlRunner,
  asked: Pick<NewOperation, 'id' | 'requestHash'>,
): Promise<void> {
  const [before] = await sql<{ requestHash: string }>(
    `SELECT request_hash AS "requestHash" FROM operations WHERE id = $1`,
    [asked.id],
  );
  if (before && before.requestHash !== asked.requestHash) throw keyReused();
}

async function carryOut(
  sql: SqlRunner,
  sandbox: Sandbox,
  live: Operation | undefined,
  asked: OperationRequest,
  decision: RequestDecision,
): Promise<RequestedOperation> {
  switch (decision) {
    case 'nothing':
      return { sandbox: await wish(sql, sandbox, asked), operation: null, created: false };
    case 'join':
      return { sandbox: await wish(sql, sandbox, asked), operation: live ?? null, created: false };
    case 'create':
      return await create(sql, sandbox, asked, null);
    case 'take_over':
      return await create(sql, sandbox, asked, await takeOver(sql, live, asked));
    case 'in_progress':
      throw inProgress(live);
    case 'not_allowed':
      throw notAllowed(sandbox, asked);
    case 'deleted':
      throw new DomainError('sandbox_deleted', 'The sandbox has been deleted.');
  }
}

/** For an operation that nobody asks for; undefined where another comes first. */
export async function createUnasked(
  sql: SqlRunner,
  sandbox: Sandbox,
  asked: OperationRequest,
): Promise<Operation | undefined> {
  const live = await liveOf(sql, sandbox);
  const decision = decideUnasked(live, asked.kind);
  if (decision === 'nothing') return undefined;
  return (await carryOut(sql, sandbox, live, asked, decision)).operation ?? undefined;
}

async function create(
  sql: SqlRunner,
  sandbox: Sandbox,
  asked: OperationRequest,
  tookOver: TakenOver | null,
): Promise<RequestedOperation> {
  const { id, tenantId, ownerId, hostId } = sandbox;
  const { snapshotId } = asked.options;
  if (snapshotId !== undefined) await requireReadySnapshot(sql, tenantId, snapshotId);
  const [created] = await sql<OperationRow>(
    `INSERT INTO operations AS o
       (id, tenant_id, owner_id, sandbox_id, host_id, kind, state, steps, request_hash, options, parks, took_over)
     VALUES ($1, $2, $3, $4, $5, $6, 'pending', '[]', $7, $8, $9, $10)
     ON CONFLICT (id) DO NOTHING RETURNING ${OPERATION_COLUMNS}`,
    [
      asked.id,
      tenantId,
      ownerId,
      id,
      hostId,
      asked.kind,
      asked.requestHash,
      jsonOf(optionsFor(sandbox, asked)),
      asked.parks,
      tookOver && jsonOf(tookOver),
    ],
  );
  // Not created: the same request was answered before by this operation, which has ended since.
  if (!created) return { sandbox, operation: (await byId(sql, asked.id)) ?? null, created: false };
  return { sandbox: await wish(sql, sandbox, asked), operation: operationFrom(created), created: true };
}

/** It may be so already by somebody's hand, and the wish is another still. */
async function wish(sql: SqlRunner, sandbox: Sandbox, asked: OperationRequest): Promise<Sandbox> {
  const desiredState = desiredAfter(asked);
  if (desiredState === null || sandbox.desiredState === desiredState) return sandbox;
  await sql(`UPDATE sandboxes SET desired_state = $2, updated_at = now() WHERE id = $1`, [
    sandbox.id,
    desiredState,
  ]);
  return { ...sandbox, desiredState };
}

/** Cancels the parked run by compare-and-set: if a decision has woken it meanwhile, it holds the sandbox still. */
async function takeOver(
  sql: SqlRunner,
  live: Operation | undefined,
  asked: OperationRequest,
): Promise<TakenOver> {
  const failure = {
    code: 'operation_in_progress',
    message: `The operation ${asked.id} (${asked.kind}) took its sandbox over.`,
  };
  const canceled = await sql(
    `UPDATE operations SET state = 'canceled', failure = $2, park = NULL, finished_at = now()
     WHERE id = $1 AND state = 'parked' AND park->>'parkNo' = $3 RETURNING id`,
    [live?.id, jsonOf(failure), String(live?.park?.parkNo)],
  );
  if (!live?.park || canceled.length === 0) throw inProgress(live);
  return { operationId: live.id, step: live.park.step, parkNo: live.park.parkNo };
}

export async function withdrawInTransaction(
  sql: SqlRunner,
  id: OperationId,
  failure: Failure,
): Promise<boolean> {
  const [row] = await sql<SandboxRow>(
    `SELECT ${SANDBOX_COLUMNS} FROM sandboxes s
     WHERE s.id = (SELECT o.sandbox_id FROM operations o WHERE o.id = $1) FOR UPDATE`,
    [id],
  );
  const ended = await sql(
    `UPDATE operations SET state = 'failed', failure = $2, finished_at = now()
     WHERE id = $1 AND state = 'pending' RETURNING id`,
    [id, jsonOf(failure)],
  );
  if (!row || ended.length === 0) return false;
  await sql(`UPDATE sandboxes SET desired_state = $2, updated_at = now() WHERE id = $1`, [
    row.id,
    desiredAfterGivingUp(row.observedState),
  ]);
  return true;
}

async function liveOf(sql: SqlRunner, sandbox: Sandbox): Promise<Operation | undefined> {
  const [live] = await sql<OperationRow>(
    `SELECT ${OPERATION_COLUMNS} FROM operations o WHERE o.sandbox_id = $1 AND o.state IN ${LIVE}`,
    [sandbox.id],
  );
  return live && operationFrom(live);
}

async function byId(sql: SqlRunner, id: string): Promise<Operation | undefined> {
  const [row] = await sql<OperationRow>(`SELECT ${OPERATION_COLUMNS} FROM operations o WHERE o.id = $1`, [
    id,
  ]);
  return row && operationFrom(row);
}

function inProgress(live: Operation | undefined): DomainError {
  const { id, kind, state } = live ?? {};
  return new DomainError('operation_in_progress', `The sandbox is held by a ${kind} that is ${state}.`, {
    extra: { operationId: id ?? null, kind: kind ?? null, state: state ?? null },
  });
}

function notAllowed({ observedState }: Sandbox, { kind }: OperationRequest): DomainError {
  return new DomainError('invalid_state', `A sandbox that is ${observedState} takes no ${kind}.`, {
    extra: { observedState },
  });
}

export function keyReused(): DomainError {
  return new DomainError('idempotency_key_reused', 'This Idempotency-Key was used for another request.');
}
