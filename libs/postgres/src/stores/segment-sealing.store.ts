import {
  limits,
  type EndedExec,
  type ExecId,
  type ManifestPlace,
  type ObjectWrite,
  type OutputSegment,
  type OwnerOfOutput,
  type PackMember,
  type SealingStore,
} from '#domain';
import type { Database, SqlRunner } from '../database.js';
import { sealPackInTransaction } from './segment-pack.js';
import { beginWrite } from './pending-objects.js';
import type { ExecCourseRow } from './rows.js';
import { blocksColumnOf, ENDED_EXEC_COLUMNS, endedExecFrom } from './segment.rows.js';

const NOT_POSTPONED = `(e.seal_after IS NULL OR e.seal_after < now())`;
/** Its search index reads the end of the output and must be able to do so while object storage is away. */
const SEALABLE = `e.output_state = 'hot' AND e.finished_at IS NOT NULL AND e.search IS NOT NULL AND ${NOT_POSTPONED}`;

/** Takes a transaction back of which one step did not find what it needs. */
class OutrunError extends Error {
  override readonly name = 'OutrunError';
}

export class PostgresSealingStore implements SealingStore {
  constructor(private readonly database: Database) {}

  async listFull(limit: number): Promise<EndedExec[]> {
    return await this.execs(
      `e.state IN ('starting', 'running') AND e.output_state = 'hot' AND ${NOT_POSTPONED}
         AND e.committed_position - e.sealed_position >= $2
       ORDER BY e.committed_position - e.sealed_position DESC`,
      limit,
      limits.SEGMENT_BYTES_MAX + limits.HOT_TAIL_BYTES,
    );
  }

  async listLarge(limit: number): Promise<EndedExec[]> {
    return await this.execs(
      `${SEALABLE} AND (e.committed_position >= $2 OR e.sealed_position > 0) ORDER BY e.finished_at`,
      limit,
      limits.PACK_OUTPUT_BYTES_MAX,
    );
  }

  async listSmall(
    limit: number,
    bytesMax: number,
  ): Promise<{ execs: EndedExec[]; bytes: number; oldestMs: number }> {
    const rows = await this.database.query<ExecCourseRow & { waitedMs: number }>(
      `SELECT ${ENDED_EXEC_COLUMNS}, (extract(epoch FROM now() - e.finished_at) * 1000)::float8 AS "waitedMs"
       FROM execs e WHERE ${SEALABLE} AND e.committed_position < $2 AND e.sealed_position = 0
       ORDER BY e.finished_at LIMIT $1`,
      [limit, limits.PACK_OUTPUT_BYTES_MAX],
    );
    let bytes = 0;
    const fitting = rows.filter((row) => {
      if (bytes + row.committedPosition > bytesMax) return false;
      bytes += row.committedPosition;
      return true;
    });
    return { execs: fitting.map(endedExecFrom), bytes, oldestMs: rows[0]?.waitedMs ?? 0 };
  }

  async beginWrite(write: ObjectWrite, scope: OwnerOfOutput): Promise<void> {
    await beginWrite((...call) => this.database.query(...call), write, scope);
  }

  async sealSegment(id: ExecId, segment: OutputSegment, attempt: string): Promise<boolean> {
    return await this.orNothing(async (sql) => {
      const [owner] = await sql<{ tenantId: string; ownerId: string }>(
        `UPDATE execs SET sealed_position = $3, seal_after = NULL
         WHERE id = $1 AND sealed_position = $2 AND committed_position >= $3 AND output_state = 'hot'
         RETURNING tenant_id AS "tenantId", owner_id AS "ownerId"`,
        [id, segment.position, segment.endPosition],
      );
      if (!owner) throw new OutrunError();
      await endWrite(sql, { key: segment.objectKey, attempt });
      const [deleted] = await sql<{ bytes: number }>(
        `WITH gone AS (
           DELETE FROM exec_chunks WHERE exec_id = $1 AND position >= $2 AND end_position <= $3
           RETURNING end_position - position AS bytes)
         SELECT coalesce(sum(bytes), 0)::bigint AS bytes FROM gone`,
        [id, segment.position, segment.endPosition],
      );
      if (deleted?.bytes !== segment.endPosition - segment.position) throw new OutrunError();
      await sql(
        `INSERT INTO exec_segments (exec_id, position, end_position, stdout_from, stdout_to, stderr_from, stderr_to,
           tenant_id, owner_id, object_key, object_offset, sha256, blocks)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
        [
          id,
          segment.position,
          segment.endPosition,
          segment.stdoutFrom,
          segment.stdoutTo,
          segment.stderrFrom,
          segment.stderrTo,
          owner.tenantId,
          owner.ownerId,
          segment.objectKey,
          segment.objectOffset,
          segment.sha256,
          JSON.stringify(blocksColumnOf(segment)),
        ],
      );
      return true;
    });
  }

  async sealExec(id: ExecId, manifest: ManifestPlace, attempt: string): Promise<boolean> {
    return await this.orNothing(async (sql) => {
      const rows = await sql(
        `UPDATE execs SET output_state = 'sealed', sealed_at = now(), seal_after = NULL, manifest_key = $2,
           manifest_offset = $3, manifest_bytes = $4, manifest_sha256 = $5
         WHERE id = $1 AND output_state = 'hot' AND sealed_position = committed_position AND finished_at IS NOT NULL
         RETURNING id`,
        [id, manifest.key, manifest.offset, manifest.bytes, manifest.sha256],
      );
      if (rows.length === 0) throw new OutrunError();
      await endWrite(sql, { key: manifest.key, attempt });
      return true;
    });
  }

  async sealPack(members: readonly PackMember[], write: ObjectWrite): Promise<number> {
    return (
      (await this.orNothing(async (sql) => {
        await endWrite(sql, write);
        const sealed = await sealPackInTransaction(sql, members);
        // A pack that nothing refers to stays announced, so that it is removed.
        if (sealed === 0) throw new OutrunError();
        return sealed;
      })) || 0
    );
  }

  async postpone(id: ExecId, ms: number): Promise<void> {
    await this.database.query(
      `UPDATE execs SET seal_after = now() + make_interval(secs => $2) WHERE id = $1 AND output_state = 'hot'`,
      [id, ms / 1_000],
    );
  }

  private async execs(condition: string, limit: number, bytes: number): Promise<EndedExec[]> {
    const rows = await this.database.query<ExecCourseRow>(
      `SELECT ${ENDED_EXEC_COLUMNS} FROM execs e WHERE ${condition} LIMIT $1`,
      [limit, bytes],
    );
    return rows.map(endedExecFrom);
  }

  private async orNothing<T>(work: (sql: SqlRunner) => Promise<T>): Promise<T | false> {
    try {
      return await this.database.transaction(work);
    } catch (error) {
      if (error instanceof OutrunError) return false;
      throw error;
    }
  }
}

/** From here on the object belongs to what refers to it. */
async function endWrite(sql: SqlRunner, { key, attempt }: ObjectWrite): Promise<void> {
  const rows = await sql(
    `DELETE FROM pending_objects WHERE key = $1 AND attempt = $2 AND state = 'writing' RETURNING key`,
    [key, attempt],
  );
  if (rows.length === 0) throw new OutrunError();
}
