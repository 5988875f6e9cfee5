import type { EndedExec, OutputSegment } from '#domain';
import type { ExecSegmentEntity } from '../entities/exec-segment.entity.js';
import { EXEC_COURSE_COLUMNS, execCourseFrom, type ExecCourseRow } from './rows.js';

export const SEGMENT_COLUMNS = `s.position, s.end_position AS "endPosition", s.stdout_from AS "stdoutFrom",
  s.stdout_to AS "stdoutTo", s.stderr_from AS "stderrFrom", s.stderr_to AS "stderrTo", s.object_key AS "objectKey",
  s.object_offset AS "objectOffset", s.sha256, s.blocks`;

export type SegmentRow = Omit<ExecSegmentEntity, 'execId' | 'tenantId' | 'ownerId'>;

export function segmentFrom({ blocks, ...row }: SegmentRow): OutputSegment {
  return {
    ...row,
    blocks: blocks.map(([position, stdoutFrom, stderrFrom]) => ({ position, stdoutFrom, stderrFrom })),
  };
}

export function blocksColumnOf(segment: OutputSegment): SegmentRow['blocks'] {
  return segment.blocks.map((block) => [block.position, block.stdoutFrom, block.stderrFrom]);
}

export const ENDED_EXEC_COLUMNS = `${EXEC_COURSE_COLUMNS}, e.sealed_position AS "sealedPosition"`;

export const endedExecFrom = (row: ExecCourseRow): EndedExec => ({
  ...execCourseFrom(row),
  sealedPosition: row.sealedPosition,
});
