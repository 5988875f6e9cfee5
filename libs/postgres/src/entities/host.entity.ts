import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A host is alive while its lease has not expired. Hosts belong to the system's own tenant. */
@Entity('hosts')
export class HostEntity {
  @PrimaryColumn('text') id!: string;
  @Column('text', { name: 'tenant_id' }) tenantId!: string;
  @Column('text', { name: 'owner_id' }) ownerId!: string;
  @Column('text', { name: 'stream_address' }) streamAddress!: string;
  @Column('text', { name: 'docker_version' }) dockerVersion!: string;
  @Column('timestamptz', { name: 'lease_expires_at' }) leaseExpiresAt!: Date;
  @Column('timestamptz', { name: 'updated_at', default: () => 'now()' }) updatedAt!: Date;
}
