import { Column, CreateDateColumn, Entity, Index, PrimaryColumn } from 'typeorm';
import type { ArchiveSummary, SnapshotState } from '#domain';

/** Its id is that of the operation that made it. The keys of its objects follow from tenant, id, attempt and number. */
@Entity('snapshots')
@Index('snapshots_sandbox', ['sandboxId', 'createdAt', 'id'])
export class SnapshotEntity {
  @PrimaryColumn('uuid') id!: string;
  @Column('text', { name: 'tenant_id' }) tenantId!: string;
  @Column('text', { name: 'owner_id' }) ownerId!: string;
  @Column('uuid', { name: 'sandbox_id' }) sandboxId!: string;
  @Column('text') image!: string;
  @Column('text') state!: SnapshotState;
  @Column('uuid') attempt!: string;
  @Column('integer', { default: 0 }) parts!: number;
  @Column('text', { name: 'manifest_sha256', nullable: true }) manifestSha256!: string | null;
  @Column('jsonb', { nullable: true }) summary!: ArchiveSummary | null;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' }) createdAt!: Date;
  @Column('timestamptz', { name: 'ready_at', nullable: true }) readyAt!: Date | null;
}
