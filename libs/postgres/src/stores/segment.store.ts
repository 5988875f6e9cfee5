import {
  DomainError,
  limits,
  type ExecId,
  type ManifestPlace,
  type OutputPlace,
  type OutputSegment,
  type OutputState,
  type SealingLag,
  type SegmentStore,
} from '#domain';
import type { Database } from '../database.js';
import { SEGMENT_COLUMNS, segmentFrom, type SegmentRow } from './segment.rows.js';

/** Segments lie behind one another, so the one with a place is the last that begins before it, or the first that ends after. */
const CONDITION: Readonly<Record<OutputPlace['of'], string>> = {
  frames: `s.position <= $2 ORDER BY s.position DESC`,
  stdout: `s.stdout_to > $2 AND s.stdout_to > s.stdout_from ORDER BY s.stdout_to`,
  stderr: `s.stderr_to > $2 AND s.stderr_to > s.stderr_from ORDER BY s.stderr_to`,
};

export class PostgresSegmentStore implements SegmentStore {
  constructor(private readonly database: Database) {}

  async find(
    id: ExecId,
    place: OutputPlace,
  ): Promise<{ outputState: OutputState; segment: OutputSegment | undefined }> {
    const [row] = await this.database.query<{ outputState: OutputState } & (SegmentRow | { position: null })>(
      `SELECT e.output_state AS "outputState", s.* FROM execs e LEFT JOIN LATERAL (
         SELECT ${SEGMENT_COLUMNS} FROM exec_segments s WHERE s.exec_id = e.id AND ${CONDITION[place.of]} LIMIT 1
       ) s ON true WHERE e.id = $1`,
      [id, place.from],
    );
    if (!row) throw new DomainError('not_found', 'There is no such exec.');
    const { outputState, ...columns } = row;
    if (columns.position === null) return { outputState, segment: undefined };
    const segment = segmentFrom(columns);
    const reaches = place.of !== 'frames' || segment.endPosition > place.from;
    return { outputState, segment: reaches ? segment : undefined };
  }

  async list(id: ExecId): Promise<OutputSegment[]> {
    const rows = await this.database.query<SegmentRow>(
      `SELECT ${SEGMENT_COLUMNS} FROM exec_segments s WHERE s.exec_id = $1 ORDER BY s.position`,
      [id],
    );
    return rows.map(segmentFrom);
  }

  async manifest(id: ExecId): Promise<ManifestPlace | undefined> {
    const [row] = await this.database.query<ManifestPlace>(
      `SELECT manifest_key AS key, manifest_offset AS "offset", manifest_bytes AS bytes, manifest_sha256 AS sha256
       FROM execs WHERE id = $1 AND manifest_key IS NOT NULL`,
      [id],
    );
    return row;
  }

  async lag(): Promise<SealingLag> {
    const [row] = await this.database.query<SealingLag>(
      `SELECT coalesce(extract(epoch FROM now() - min(w.finished_at)) * 1000, 0)::float8 AS "oldestMs",
         count(*)::int AS waiting,
         (SELECT coalesce(max(l.committed_position - l.sealed_position), 0) FROM execs l
          WHERE l.state IN ('starting', 'running')) AS "liveHotBytes"
       FROM (SELECT finished_at FROM execs WHERE output_state = 'hot' AND finished_at IS NOT NULL
             ORDER BY finished_at LIMIT $1) w`,
      [limits.SEALING_WAITING_COUNTED_MAX],
    );
    return row ?? { oldestMs: 0, waiting: 0, liveHotBytes: 0 };
  }
}
