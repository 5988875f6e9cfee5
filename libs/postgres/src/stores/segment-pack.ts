import type { PackMember } from '#domain';
import type { SqlRunner } from '../database.js';
import { blocksColumnOf } from './segment.rows.js';

/** The parameter of the statements below: one row for each exec of a pack. */
const MEMBERS = `jsonb_to_recordset($1::jsonb) AS m(exec_id uuid, end_position bigint, stdout_to bigint,
  stderr_to bigint, object_key text, object_offset bigint, sha256 text, blocks jsonb, manifest_key text,
  manifest_offset bigint, manifest_bytes bigint, manifest_sha256 text)`;

/** Seals the members that still are as they were when the pack was made. Returns how many. */
export async function sealPackInTransaction(sql: SqlRunner, members: readonly PackMember[]): Promise<number> {
  const all = members.map(memberRow);
  // Locked in one order, so that two packs with the same execs wait for each other instead of failing.
  const locked = await sql<{ id: string }>(
    `SELECT e.id FROM execs e JOIN ${MEMBERS} ON m.exec_id = e.id
     WHERE e.output_state = 'hot' AND e.sealed_position = 0 AND e.finished_at IS NOT NULL
       AND e.committed_position = m.end_position
     ORDER BY e.id FOR NO KEY UPDATE OF e`,
    [JSON.stringify(all)],
  );
  if (locked.length === 0) return 0;
  const ours = new Set(locked.map((row) => row.id));
  const rows = JSON.stringify(all.filter((row) => ours.has(row.exec_id)));
  await sql(
    `INSERT INTO exec_segments (exec_id, position, end_position, stdout_from, stdout_to, stderr_from, stderr_to,
       tenant_id, owner_id, object_key, object_offset, sha256, blocks)
     SELECT e.id, 0, m.end_position, 0, m.stdout_to, 0, m.stderr_to, e.tenant_id, e.owner_id, m.object_key,
       m.object_offset, m.sha256, m.blocks
     FROM ${MEMBERS} JOIN execs e ON e.id = m.exec_id WHERE m.end_position > 0`,
    [rows],
  );
  await sql(
    `DELETE FROM exec_chunks c USING ${MEMBERS} WHERE c.exec_id = m.exec_id AND c.end_position <= m.end_position`,
    [rows],
  );
  await sql(
    `UPDATE execs e SET output_state = 'sealed', sealed_at = now(), seal_after = NULL,
       sealed_position = m.end_position, manifest_key = m.manifest_key, manifest_offset = m.manifest_offset,
       manifest_bytes = m.manifest_bytes, manifest_sha256 = m.manifest_sha256
     FROM ${MEMBERS} WHERE e.id = m.exec_id`,
    [rows],
  );
  return locked.length;
}

function memberRow({ exec, segment, manifest }: PackMember) {
  return {
    exec_id: exec.id,
    end_position: segment?.endPosition ?? 0,
    stdout_to: segment?.stdoutTo ?? 0,
    stderr_to: segment?.stderrTo ?? 0,
    object_key: segment?.objectKey ?? null,
    object_offset: segment?.objectOffset ?? null,
    sha256: segment?.sha256 ?? null,
    blocks: segment ? blocksColumnOf(segment) : null,
    manifest_key: manifest.key,
    manifest_offset: manifest.offset,
    manifest_bytes: manifest.bytes,
    manifest_sha256: manifest.sha256,
  };
}
