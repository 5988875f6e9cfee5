import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A piece of an exec's output in object storage, contiguous with its neighbours by position. Written once. */
@Entity('exec_segments')
@Index('exec_segments_stdout', ['execId', 'stdoutTo'])
@Index('exec_segments_stderr', ['execId', 'stderrTo'])
@Index('exec_segments_object', ['objectKey'])
export class ExecSegmentEntity {
  @PrimaryColumn('uuid', { name: 'exec_id' }) execId!: string;
  @PrimaryColumn('bigint') position!: number;
  @Column('bigint', { name: 'end_position' }) endPosition!: number;
  @Column('bigint', { name: 'stdout_from' }) stdoutFrom!: number;
  @Column('bigint', { name: 'stdout_to' }) stdoutTo!: number;
  @Column('bigint', { name: 'stderr_from' }) stderrFrom!: number;
  @Column('bigint', { name: 'stderr_to' }) stderrTo!: number;
  @Column('text', { name: 'tenant_id' }) tenantId!: string;
  @Column('text', { name: 'owner_id' }) ownerId!: string;
  @Column('text', { name: 'object_key' }) objectKey!: string;
  @Column('bigint', { name: 'object_offset' }) objectOffset!: number;
  @Column('text') sha256!: string;
  /** Of each block: position, byte of stdout, byte of stderr. */
  @Column('jsonb') blocks!: [position: number, stdoutFrom: number, stderrFrom: number][];
}
