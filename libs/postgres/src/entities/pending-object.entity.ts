import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * An object that is being written and that nothing refers to yet, or one that nothing refers to any more and that is to
 * be removed. `attempt` tells who began last.
 */
@Entity('pending_objects')
@Index('pending_objects_since', ['since'])
@Index('pending_objects_attempt', ['attempt'])
export class PendingObjectEntity {
  @PrimaryColumn('text') key!: string;
  @Column('text') state!: 'writing' | 'removing';
  @Column('uuid') attempt!: string;
  @Column('text', { name: 'tenant_id' }) tenantId!: string;
  @Column('text', { name: 'owner_id' }) ownerId!: string;
  @Column('timestamptz', { default: () => 'now()' }) since!: Date;
}
