import {
  DomainError,
  execId,
  type ClaimResult,
  type Exec,
  type ExecId,
  type HostId,
  type NewExec,
  type Tier,
  type TierName,
} from '#domain';
import type { SqlRunner } from '../database.js';
import { EXEC_COLUMNS, execFrom, type ExecRow, jsonOf } from './rows.js';

/**
 * With fewer than this many places left in a queue, execs are added one after the other under the lock of their sandbox.
 * With more, one statement without a lock is enough: it is more than the connections that can be in it at once.
 */
export const QUEUE_HEADROOM = 100;
const QUEUE_FULL_RETRY_SECONDS = 5;

export type QueueLimits = Readonly<Record<TierName, Pick<Tier, 'execsRunningMax' | 'execsQueuedMax'>>>;

/** Undefined where the id is taken, the sandbox is not there, or fewer than `headroom` and one places are left. */
export async function insertQueued(
  sql: SqlRunner,
  queues: QueueLimits,
  exec: NewExec,
  headroom: number,
): Promise<ExecRow | undefined> {
  const [created] = await sql<ExecRow>(
    `INSERT INTO execs AS e (id, tenant_id, owner_id, sandbox_id, host_id, state, request, request_hash, inline_stdin)
       SELECT $1, s.tenant_id, s.owner_id, s.id, s.host_id, 'queued', $4, $5, $8 FROM sandboxes s
       WHERE s.id = $3 AND s.tenant_id = $2 AND s.observed_state <> 'deleted'
         AND (SELECT count(*) FROM execs q WHERE q.sandbox_id = s.id AND q.state = 'queued')
           < ($6::jsonb->s.tier->>'execsQueuedMax')::int - $7::int
       ON CONFLICT (id) DO NOTHING RETURNING ${EXEC_COLUMNS}`,
    [
      exec.id,
      exec.tenantId,
      exec.sandboxId,
      jsonOf(exec.request),
      exec.requestHash,
      JSON.stringify(queues),
      headroom,
      exec.inlineStdin === undefined ? null : bufferOf(exec.inlineStdin),
    ],
  );
  return created;
}

export function queueFull(execsQueuedMax: number): DomainError {
  return new DomainError('queue_full', 'Too many execs wait in this sandbox.', {
    retryAfterSeconds: QUEUE_FULL_RETRY_SECONDS,
    extra: { queuedMax: execsQueuedMax },
  });
}

/** From 1, in the order of arrival. */
export async function queuePositionsOf(
  sql: SqlRunner,
  execs: readonly Pick<Exec, 'id' | 'sandboxId'>[],
): Promise<ReadonlyMap<ExecId, number>> {
  const rows = await sql<{ id: string; place: number }>(
    `SELECT id, place FROM (
         SELECT id, row_number() OVER (PARTITION BY sandbox_id ORDER BY seq) AS place
         FROM execs WHERE state = 'queued' AND sandbox_id = ANY($1)) q
       WHERE id = ANY($2)`,
    [[...new Set(execs.map((exec) => exec.sandboxId))], execs.map((exec) => exec.id)],
  );
  return new Map(rows.map(({ id, place }) => [execId(id), place]));
}

type ClaimRow = ExecRow & {
  readonly claim: 'claimed' | 'live' | 'ended' | 'queue' | 'sandbox_not_running';
};

/** One round trip: `claim_exec` serialises the claims of one sandbox by its row lock, so the limit and the order of the queue hold exactly. */
export async function claim(
  sql: SqlRunner,
  queues: QueueLimits,
  id: ExecId,
  hostId: HostId,
): Promise<ClaimResult> {
  const [row] = await sql<ClaimRow>(
    `SELECT c.claim, ${EXEC_COLUMNS} FROM claim_exec($1, $2, $3) AS c, LATERAL (SELECT (c.exec).*) AS e`,
    [id, hostId, JSON.stringify(queues)],
  );
  if (!row) throw new DomainError('not_found', 'There is no such exec.');
  const exec = execFrom(row);
  if (row.claim === 'queue' || row.claim === 'sandbox_not_running') {
    return { kind: 'wait', because: row.claim, exec };
  }
  return { kind: row.claim, exec };
}

/** A view. */
export const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
