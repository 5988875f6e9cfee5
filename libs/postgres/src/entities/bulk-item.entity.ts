import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { BulkItemState, Failure } from '#domain';

/** An item has the operation and the exec of its last attempt; those of earlier ones have rows of their own. */
@Entity('bulk_items')
@Index('bulk_items_sandbox', ['bulkId', 'sandboxId'], { unique: true })
@Index('bulk_items_state', ['bulkId', 'state', 'itemNo'])
export class BulkItemEntity {
  @PrimaryColumn('uuid', { name: 'bulk_id' }) bulkId!: string;
  @PrimaryColumn('integer', { name: 'item_no' }) itemNo!: number;
  @Column('text', { name: 'tenant_id' }) tenantId!: string;
  @Column('uuid', { name: 'sandbox_id' }) sandboxId!: string;
  @Column('text', { name: 'owner_id' }) ownerId!: string;
  @Column('text', { default: 'pending' }) state!: BulkItemState;
  @Column('integer', { default: 0 }) attempts!: number;
  @Column('uuid', { name: 'operation_id', nullable: true }) operationId!: string | null;
  @Column('uuid', { name: 'exec_id', nullable: true }) execId!: string | null;
  @Column('jsonb', { nullable: true }) failure!: Failure | null;
  @Column('timestamptz', { name: 'started_at', nullable: true }) startedAt!: Date | null;
  @Column('timestamptz', { name: 'finished_at', nullable: true }) finishedAt!: Date | null;
}
