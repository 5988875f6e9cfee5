import {
  DomainError,
  limits,
  ownerId,
  sandboxId,
  snapshotId,
  snapshotManifestKey,
  snapshotPartKey,
  tenantId as parseTenantId,
  type ArchiveSummary,
  type NewSnapshot,
  type ObjectWrite,
  type Page,
  type SandboxId,
  type Snapshot,
  type SnapshotId,
  type SnapshotPolicy,
  type SnapshotStore,
  type TenantId,
} from '#domain';
import type { Database, SqlRunner } from '../database.js';
import type { SnapshotEntity } from '../entities/snapshot.entity.js';
import { LIVE } from './operation-requests.js';
import { Conditions, cursorAt, pageOf } from './page.js';
import { jsonOf } from './rows.js';
import { beginWrite, dropWrites, endWrites, removeObjects } from './pending-objects.js';

const COLUMNS = `n.id, n.tenant_id AS "tenantId", n.owner_id AS "ownerId", n.sandbox_id AS "sandboxId", n.image, n.state,
  n.attempt, n.parts, n.manifest_sha256 AS "manifestSha256", n.summary, n.created_at AS "createdAt",
  n.ready_at AS "readyAt"`;

/** A live operation that is to restore it. */
const NEEDED = `EXISTS (SELECT 1 FROM operations o WHERE o.options->>'snapshotId' = n.id::text AND o.state IN ${LIVE})`;
/** A live operation that is making it. */
const BEING_MADE = `EXISTS (SELECT 1 FROM operations o WHERE o.id = n.id AND o.state IN ${LIVE})`;
/** Which nobody keeps any more, and nobody needs. $1: how many of a sandbox are kept, $2: for how many seconds after its deletion. */
const MAY_GO = `n.id IN (
    SELECT r.id FROM (
      SELECT id, sandbox_id, row_number() OVER (PARTITION BY sandbox_id ORDER BY created_at DESC, id DESC) AS place
      FROM snapshots WHERE state = 'ready') r
    JOIN sandboxes s ON s.id = r.sandbox_id
    WHERE r.place > $1
       OR (s.observed_state = 'deleted' AND s.updated_at < now() - make_interval(secs => $2))
    UNION ALL
    SELECT n.id FROM snapshots n WHERE n.state = 'writing' AND NOT ${BEING_MADE})
  AND NOT ${NEEDED}`;

export class PostgresSnapshotStore implements SnapshotStore {
  constructor(private readonly database: Database) {}

  async begin(snapshot: NewSnapshot): Promise<Snapshot> {
    return await this.database.transaction(async (sql) => {
      const before = await locked(sql, snapshot.id);
      if (before?.state === 'ready') return before;
      if (before) await dropWrites(sql, before.attempt);
      else await refuseTooMany(sql, snapshot.sandboxId);
      const [row] = await sql<SnapshotEntity>(
        `INSERT INTO snapshots AS n (id, tenant_id, owner_id, sandbox_id, image, state, attempt)
         VALUES ($1, $2, $3, $4, $5, 'writing', $6)
         ON CONFLICT (id) DO UPDATE SET attempt = excluded.attempt RETURNING ${COLUMNS}`,
        [
          snapshot.id,
          snapshot.tenantId,
          snapshot.ownerId,
          snapshot.sandboxId,
          snapshot.image,
          snapshot.attempt,
        ],
      );
      return snapshotFrom(row as SnapshotEntity);
    });
  }

  async announce(write: ObjectWrite, snapshot: NewSnapshot): Promise<void> {
    await beginWrite((...call) => this.database.query(...call), write, snapshot);
  }

  async renew(attempt: string): Promise<void> {
    await this.database.query(
      `UPDATE pending_objects SET since = now() WHERE attempt = $1 AND state = 'writing'`,
      [attempt],
    );
  }

  async publish(
    { id, attempt }: Pick<Snapshot, 'id' | 'attempt'>,
    facts: { parts: number; manifestSha256: string; summary: ArchiveSummary },
  ): Promise<boolean> {
    return await this.database.transaction(async (sql) => {
      const before = await locked(sql, id);
      if (before?.state !== 'writing' || before.attempt !== attempt) return false;
      const [left] = await sql<{ count: number }>(
        `SELECT count(*) AS count FROM pending_objects WHERE attempt = $1 AND state = 'writing'`,
        [attempt],
      );
      // The manifest is one more.
      if (left?.count !== facts.parts + 1) return false;
      await endWrites(sql, attempt);
      await sql(
        `UPDATE snapshots SET state = 'ready', ready_at = now(), parts = $2, manifest_sha256 = $3, summary = $4
         WHERE id = $1`,
        [id, facts.parts, facts.manifestSha256, jsonOf(facts.summary)],
      );
      return true;
    });
  }

  async discard(id: SnapshotId): Promise<void> {
    await this.database.transaction(async (sql) => {
      const before = await locked(sql, id);
      if (before?.state === 'writing') await remove(sql, before);
    });
  }

  async find(tenantId: TenantId, id: SnapshotId): Promise<Snapshot | undefined> {
    const [row] = await this.database.query<SnapshotEntity>(
      `SELECT ${COLUMNS} FROM snapshots n WHERE n.tenant_id = $1 AND n.id = $2`,
      [tenantId, id],
    );
    return row && snapshotFrom(row);
  }

  async get(id: SnapshotId): Promise<Snapshot> {
    const [row] = await this.database.query<SnapshotEntity>(
      `SELECT ${COLUMNS} FROM snapshots n WHERE n.id = $1`,
      [id],
    );
    if (!row) throw new DomainError('not_found', 'There is no such snapshot.');
    return snapshotFrom(row);
  }

  async count(id: SandboxId): Promise<number> {
    return await countOf((...call) => this.database.query(...call), id);
  }

  async list(
    tenantId: TenantId,
    query: { sandboxId: SandboxId; limit: number; cursor?: string },
  ): Promise<Page<Snapshot>> {
    const conditions = new Conditions()
      .equal('n.tenant_id', tenantId)
      .equal('n.sandbox_id', query.sandboxId)
      .before('n', query.cursor);
    const limit = conditions.parameter(query.limit + 1);
    const rows = await this.database.query<SnapshotEntity & { cursorAt: string }>(
      `SELECT ${COLUMNS}, ${cursorAt('n')} FROM snapshots n WHERE ${conditions.where}
       ORDER BY n.created_at DESC, n.id DESC LIMIT ${limit}`,
      conditions.parameters,
    );
    return pageOf(rows, query.limit, snapshotFrom);
  }

  async delete(tenantId: TenantId, id: SnapshotId): Promise<boolean> {
    return await this.database.transaction(async (sql) => {
      const snapshot = await locked(sql, id);
      if (!snapshot || snapshot.tenantId !== tenantId) return false;
      const [needed] = await sql<{ id: string }>(
        `SELECT o.id FROM operations o
         WHERE (o.options->>'snapshotId' = $1 OR o.id = $1::uuid) AND o.state IN ${LIVE}`,
        [id],
      );
      if (needed) {
        throw new DomainError('operation_in_progress', 'An operation needs the snapshot.', {
          extra: { operationId: needed.id },
        });
      }
      await remove(sql, snapshot);
      return true;
    });
  }

  /** Asks again under the lock: since it was asked first, somebody may have begun to restore one of them. */
  async expire(policy: SnapshotPolicy, limit: number): Promise<number> {
    return await this.database.transaction(async (sql) => {
      const found = await sql<{ id: string }>(
        `SELECT n.id FROM snapshots n WHERE ${MAY_GO} ORDER BY n.created_at LIMIT $3`,
        [policy.keptPerSandbox, policy.deletedAgeMsMax / 1_000, limit],
      );
      const free = await sql<{ id: string }>(
        `SELECT n.id FROM snapshots n WHERE n.id = ANY($1) ORDER BY n.id FOR UPDATE SKIP LOCKED`,
        [found.map(({ id }) => id)],
      );
      const rows = await sql<SnapshotEntity>(
        `SELECT ${COLUMNS} FROM snapshots n WHERE n.id = ANY($3) AND ${MAY_GO}`,
        [policy.keptPerSandbox, policy.deletedAgeMsMax / 1_000, free.map(({ id }) => id)],
      );
      for (const row of rows) await remove(sql, snapshotFrom(row));
      return rows.length;
    });
  }
}

async function remove(sql: SqlRunner, snapshot: Snapshot): Promise<void> {
  await sql(`DELETE FROM snapshots WHERE id = $1`, [snapshot.id]);
  await dropWrites(sql, snapshot.attempt);
  if (snapshot.state !== 'ready') return;
  const parts = Array.from({ length: snapshot.parts }, (_none, number) => snapshotPartKey(snapshot, number));
  await removeObjects(sql, [...parts, snapshotManifestKey(snapshot)], snapshot);
}

async function refuseTooMany(sql: SqlRunner, id: SandboxId): Promise<void> {
  if ((await countOf(sql, id)) < limits.SNAPSHOTS_PER_SANDBOX_MAX) return;
  throw new DomainError(
    'quota_exceeded',
    `A sandbox has at most ${limits.SNAPSHOTS_PER_SANDBOX_MAX} snapshots.`,
  );
}

async function countOf(sql: SqlRunner, id: SandboxId): Promise<number> {
  const [row] = await sql<{ count: number }>(
    `SELECT count(*) AS count FROM snapshots WHERE sandbox_id = $1`,
    [id],
  );
  return row?.count ?? 0;
}

async function locked(sql: SqlRunner, id: SnapshotId): Promise<Snapshot | undefined> {
  const [row] = await sql<SnapshotEntity>(`SELECT ${COLUMNS} FROM snapshots n WHERE n.id = $1 FOR UPDATE`, [
    id,
  ]);
  return row && snapshotFrom(row);
}

function snapshotFrom(row: SnapshotEntity): Snapshot {
  return {
    id: snapshotId(row.id),
    tenantId: parseTenantId(row.tenantId),
    ownerId: ownerId(row.ownerId),
    sandboxId: sandboxId(row.sandboxId),
    image: row.image,
    state: row.state,
    attempt: row.attempt,
    parts: row.parts,
    manifestSha256: row.manifestSha256,
    summary: row.summary,
    createdAt: row.createdAt.toISOString(),
    readyAt: row.readyAt === null ? null : row.readyAt.toISOString(),
  };
}
