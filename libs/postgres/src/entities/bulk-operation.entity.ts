import { Column, CreateDateColumn, Entity, Index, PrimaryColumn } from 'typeorm';
import type { BulkPause, BulkState, BulkWork, Failure, SandboxSelector } from '#domain';

/** `owner_id`: where all of its sandboxes belong to one. `attention_since`: something was asked of it that its run has not looked at yet. */
@Entity('bulk_operations')
@Index('bulk_operations_list', ['tenantId', 'createdAt', 'id'])
@Index('bulk_operations_unattended', ['attentionSince'], { where: `"attention_since" IS NOT NULL` })
@Index('bulk_operations_unended', ['createdAt'], { where: `"finished_at" IS NULL` })
export class BulkOperationEntity {
  @PrimaryColumn('uuid') id!: string;
  @Column('text', { name: 'tenant_id' }) tenantId!: string;
  @Column('text', { name: 'owner_id', nullable: true }) ownerId!: string | null;
  @Column('jsonb') work!: BulkWork;
  @Column('jsonb', { nullable: true }) selector!: SandboxSelector | null;
  @Column('integer', { name: 'concurrency_max' }) concurrencyMax!: number;
  @Column('integer', { name: 'delay_ms' }) delayMs!: number;
  @Column('integer', { name: 'failure_budget', nullable: true }) failureBudget!: number | null;
  @Column('text') state!: BulkState;
  @Column('integer', { default: 1 }) round!: number;
  @Column('integer', { name: 'pause_no', default: 0 }) pauseNo!: number;
  @Column('jsonb', { nullable: true }) pause!: BulkPause | null;
  @Column('integer', { name: 'failures_forgiven', default: 0 }) failuresForgiven!: number;
  @Column('jsonb', { nullable: true }) failure!: Failure | null;
  /** By their ids, the last ones: one that comes again has no effect. */
  @Column('text', { name: 'taken_controls', array: true, default: [] }) takenControls!: string[];
  @Column('text', { name: 'request_hash' }) requestHash!: string;
  @Column('timestamptz', { name: 'last_begun_at', nullable: true }) lastBegunAt!: Date | null;
  @Column('timestamptz', { name: 'attention_since', nullable: true }) attentionSince!: Date | null;
  @Column('timestamptz', { name: 'verified_at', nullable: true }) verifiedAt!: Date | null;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz', { name: 'started_at', nullable: true }) startedAt!: Date | null;
  @Column('timestamptz', { name: 'finished_at', nullable: true }) finishedAt!: Date | null;
}
