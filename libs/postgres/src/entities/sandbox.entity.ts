import { Column, CreateDateColumn, Entity, Index, PrimaryColumn } from 'typeorm';
import type {
  Failure,
  Health,
  HealthCheck,
  RestartCause,
  RestartPolicy,
  SandboxDesiredState,
  SandboxObservedState,
  TierName,
} from '#domain';

/** `operation_id` is the operation that was given the present generation: what makes raising it idempotent. */
@Entity('sandboxes')
@Index('sandboxes_name', ['tenantId', 'ownerId', 'name'], {
  unique: true,
  where: `"observed_state" <> 'deleted'`,
})
@Index('sandboxes_list', ['tenantId', 'createdAt', 'id'])
@Index('sandboxes_host', ['hostId'])
@Index('sandboxes_restartable', ['restartDueAt'], { where: `"restart_due_at" IS NOT NULL` })
@Index('sandboxes_health', ['hostId', 'healthDueAt'], { where: `"health_check" IS NOT NULL` })
@Index('sandboxes_idle', ['idleDueAt'], { where: `"idle_stop_seconds" IS NOT NULL` })
export class SandboxEntity {
  @PrimaryColumn('uuid') id!: string;
  @Column('text', { name: 'tenant_id' }) tenantId!: string;
  @Column('text', { name: 'owner_id' }) ownerId!: string;
  @Column('text') name!: string;
  @Column('text') image!: string;
  @Column('text') tier!: TierName;
  @Column('jsonb', { default: {} }) labels!: Readonly<Record<string, string>>;
  @Column('text', { name: 'host_id' }) hostId!: string;
  @Column('integer', { default: 0 }) generation!: number;
  @Column('uuid', { name: 'operation_id', nullable: true }) operationId!: string | null;
  @Column('text', { name: 'desired_state' }) desiredState!: SandboxDesiredState;
  @Column('text', { name: 'observed_state' }) observedState!: SandboxObservedState;
  @Column('text', { name: 'container_id', nullable: true }) containerId!: string | null;
  @Column('uuid', { name: 'workspace_id', nullable: true }) workspaceId!: string | null;
  @Column('boolean', { name: 'workspace_made', default: false }) workspaceMade!: boolean;
  @Column('boolean', { name: 'snapshot_on_restart', default: false }) snapshotOnRestart!: boolean;
  @Column('jsonb', { nullable: true }) failure!: Failure | null;
  @Column('text', { name: 'restart_policy', default: 'on-failure' }) restartPolicy!: RestartPolicy;
  @Column('integer', { name: 'idle_stop_seconds', nullable: true }) idleStopSeconds!: number | null;
  @Column('integer', { name: 'settings_version', default: 1 }) settingsVersion!: number;
  @Column('jsonb', { default: [] }) restarts!: string[];
  @Column('timestamptz', { name: 'restart_due_at', nullable: true }) restartDueAt!: Date | null;
  @Column('text', { name: 'restart_cause', nullable: true }) restartCause!: RestartCause | null;
  /** When to look again whether somebody has used it. */
  @Column('timestamptz', { name: 'idle_due_at', nullable: true }) idleDueAt!: Date | null;
  /** For what is no exec and no operation: files that are on their way. */
  @Column('timestamptz', { name: 'used_until', nullable: true }) usedUntil!: Date | null;
  @Column('jsonb', { name: 'health_check', nullable: true }) healthCheck!: HealthCheck | null;
  @Column('jsonb', { nullable: true }) health!: Health | null;
  @Column('timestamptz', { name: 'health_due_at', nullable: true }) healthDueAt!: Date | null;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz', { name: 'updated_at', default: () => 'now()' }) updatedAt!: Date;
}
