import { execId, type ExecId, type SearchStore, type UnindexedExec } from '#domain';
import type { Database } from '../database.js';
import { COMMAND_TEXT } from './search.sql.js';

export class PostgresSearchStore implements SearchStore {
  constructor(private readonly database: Database) {}

  async listUnindexed(limit: number): Promise<UnindexedExec[]> {
    const rows = await this.database.query<{ id: string; text: string; committedPosition: number }>(
      `SELECT e.id, ${COMMAND_TEXT} AS text, e.committed_position AS "committedPosition" FROM execs e
       WHERE e.search IS NULL AND e.finished_at IS NOT NULL ORDER BY e.created_at LIMIT $1`,
      [limit],
    );
    return rows.map(({ id, ...row }) => ({ ...row, id: execId(id) }));
  }

  async index(entries: readonly { readonly id: ExecId; readonly text: string }[]): Promise<void> {
    await this.database.query(
      `UPDATE execs e SET search = to_tsvector('simple', i.text)
       FROM unnest($1::uuid[], $2::text[]) AS i(id, text) WHERE e.id = i.id AND e.search IS NULL`,
      [entries.map((entry) => entry.id), entries.map((entry) => entry.text)],
    );
  }
}
