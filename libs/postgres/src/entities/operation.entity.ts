import { Check, Column, CreateDateColumn, Entity, Index, PrimaryColumn } from 'typeorm';
import type {
  Failure,
  OperationKind,
  OperationOptions,
  OperationOutcome,
  OperationState,
  Park,
  StepRecord,
  TakenOver,
} from '#domain';

/** The partial unique index is the rule "one live operation per sandbox". */
@Entity('operations')
@Index('operations_live', ['sandboxId'], {
  unique: true,
  where: `"state" IN ('pending', 'running', 'parked')`,
})
@Index('operations_list', ['tenantId', 'createdAt', 'id'])
@Index('operations_parked', ['tenantId', 'createdAt', 'id'], { where: `"state" = 'parked'` })
@Check('operations_result_bytes', `octet_length("result"::text) <= 16384`)
@Index('operations_sandbox', ['sandboxId', 'createdAt'])
export class OperationEntity {
  @PrimaryColumn('uuid') id!: string;
  @Column('text', { name: 'tenant_id' }) tenantId!: string;
  @Column('text', { name: 'owner_id' }) ownerId!: string;
  @Column('uuid', { name: 'sandbox_id' }) sandboxId!: string;
  @Column('text', { name: 'host_id' }) hostId!: string;
  @Column('text') kind!: OperationKind;
  @Column('jsonb', { default: {} }) options!: OperationOptions;
  @Column('boolean', { default: true }) parks!: boolean;
  @Column('jsonb', { name: 'took_over', nullable: true }) tookOver!: TakenOver | null;
  @Column('text') state!: OperationState;
  @Column('jsonb') steps!: StepRecord[];
  @Column('jsonb', { nullable: true }) park!: Park | null;
  @Column('jsonb', { nullable: true }) failure!: Failure | null;
  @Column('jsonb', { nullable: true }) result!: OperationOutcome | null;
  @Column('text', { name: 'request_hash' }) requestHash!: string;
  @Column('timestamptz', { name: 'workflow_started_at', nullable: true }) workflowStartedAt!: Date | null;
  @Column('timestamptz', { name: 'verified_at', nullable: true }) verifiedAt!: Date | null;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz', { name: 'started_at', nullable: true }) startedAt!: Date | null;
  @Column('timestamptz', { name: 'finished_at', nullable: true }) finishedAt!: Date | null;
}
