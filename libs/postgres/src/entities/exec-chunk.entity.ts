import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Whole frames of one exec, contiguous by position. `[from, to)` of each stream say where a reader must begin. */
@Entity('exec_chunks')
@Index('exec_chunks_stdout', ['execId', 'stdoutTo'])
@Index('exec_chunks_stderr', ['execId', 'stderrTo'])
export class ExecChunkEntity {
  @PrimaryColumn('uuid', { name: 'exec_id' }) execId!: string;
  @PrimaryColumn('bigint') position!: number;
  @Column('bigint', { name: 'end_position' }) endPosition!: number;
  @Column('bigint', { name: 'stdout_from' }) stdoutFrom!: number;
  @Column('bigint', { name: 'stdout_to' }) stdoutTo!: number;
  @Column('bigint', { name: 'stderr_from' }) stderrFrom!: number;
  @Column('bigint', { name: 'stderr_to' }) stderrTo!: number;
  @Column('text', { name: 'tenant_id' }) tenantId!: string;
  @Column('text', { name: 'owner_id' }) ownerId!: string;
  @Column('bytea') frames!: Buffer;
}
