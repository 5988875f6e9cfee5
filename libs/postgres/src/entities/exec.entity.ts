import { Column, CreateDateColumn, Entity, Generated, Index, PrimaryColumn } from 'typeorm';
import type { ExecEvidence, ExecRequest, ExecState, ExitRecord, Failure, OutputState } from '#domain';

/** `seq` is the order of arrival and with it the order of the queue. Positions and byte counts fit in 53 bits. */
@Entity('execs')
@Index('execs_queue', ['sandboxId', 'seq'], { where: `"state" = 'queued'` })
@Index('execs_live', ['sandboxId'], { where: `"state" IN ('starting', 'running')` })
@Index('execs_host', ['hostId'], { where: `"state" IN ('starting', 'running')` })
@Index('execs_list', ['tenantId', 'createdAt', 'id'])
@Index('execs_sandbox', ['sandboxId', 'createdAt'])
@Index('execs_unended', ['createdAt'], { where: `"state" IN ('queued', 'starting', 'running')` })
@Index('execs_owner', ['tenantId', 'ownerId', 'createdAt'])
@Index('execs_labels', { synchronize: false })
@Index('execs_unsealed', ['finishedAt'], { where: `"output_state" = 'hot' AND "finished_at" IS NOT NULL` })
@Index('execs_kept', ['tenantId', 'ownerId', 'createdAt', 'id'], {
  where: `"output_state" <> 'expired' AND "finished_at" IS NOT NULL`,
})
@Index('execs_unerased', ['expiredAt'], { where: `"output_state" = 'expired' AND "erased_at" IS NULL` })
@Index('execs_manifest', ['manifestKey'], { where: `"manifest_key" IS NOT NULL` })
@Index('execs_search', ['search'], { type: 'gin' })
@Index('execs_unindexed', ['createdAt'], { where: `"search" IS NULL` })
export class ExecEntity {
  @PrimaryColumn('uuid') id!: string;
  @Column('bigint') @Generated('increment') seq!: number;
  @Column('text', { name: 'tenant_id' }) tenantId!: string;
  @Column('text', { name: 'owner_id' }) ownerId!: string;
  @Column('uuid', { name: 'sandbox_id' }) sandboxId!: string;
  @Column('text', { name: 'host_id' }) hostId!: string;
  @Column('integer', { nullable: true }) generation!: number | null;
  @Column('text') state!: ExecState;
  @Column('jsonb') request!: ExecRequest;
  /** Not among the columns that are read with the row. */
  @Column('bytea', { name: 'inline_stdin', nullable: true }) inlineStdin!: Buffer | null;
  @Column('text', { name: 'request_hash' }) requestHash!: string;
  @Column('bigint', { name: 'committed_position', default: 0 }) committedPosition!: number;
  @Column('bigint', { name: 'stdout_bytes', default: 0 }) stdoutBytes!: number;
  @Column('bigint', { name: 'stderr_bytes', default: 0 }) stderrBytes!: number;
  @Column('integer', { name: 'exit_code', nullable: true }) exitCode!: number | null;
  @Column('text', { nullable: true }) signal!: string | null;
  @Column('jsonb', { nullable: true }) failure!: Failure | null;
  @Column('jsonb', { name: 'exit_record', nullable: true }) exitRecord!: ExitRecord | null;
  @Column('jsonb', { nullable: true }) evidence!: ExecEvidence | null;
  @Column('timestamptz', { name: 'cancel_requested_at', nullable: true }) cancelRequestedAt!: Date | null;
  @Column('timestamptz', { name: 'workflow_started_at', nullable: true }) workflowStartedAt!: Date | null;
  @Column('timestamptz', { name: 'verified_at', nullable: true }) verifiedAt!: Date | null;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz', { name: 'started_at', nullable: true }) startedAt!: Date | null;
  @Column('timestamptz', { name: 'finished_at', nullable: true }) finishedAt!: Date | null;
  @Column('text', { name: 'output_state', default: 'hot' }) outputState!: OutputState;
  @Column('bigint', { name: 'sealed_position', default: 0 }) sealedPosition!: number;
  @Column('timestamptz', { name: 'seal_after', nullable: true }) sealAfter!: Date | null;
  @Column('timestamptz', { name: 'sealed_at', nullable: true }) sealedAt!: Date | null;
  @Column('timestamptz', { name: 'expired_at', nullable: true }) expiredAt!: Date | null;
  @Column('timestamptz', { name: 'erased_at', nullable: true }) erasedAt!: Date | null;
  @Column('text', { name: 'manifest_key', nullable: true }) manifestKey!: string | null;
  @Column('bigint', { name: 'manifest_offset', nullable: true }) manifestOffset!: number | null;
  @Column('bigint', { name: 'manifest_bytes', nullable: true }) manifestBytes!: number | null;
  @Column('text', { name: 'manifest_sha256', nullable: true }) manifestSha256!: string | null;
  /** Words of the command, the labels and the end of the output; null until the exec has ended and is indexed. */
  @Column('tsvector', { nullable: true }) search!: string | null;
}
