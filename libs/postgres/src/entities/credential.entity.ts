import { Column, CreateDateColumn, Entity, Index, PrimaryColumn } from 'typeorm';

@Entity('credentials')
@Index('credentials_list', ['tenantId', 'createdAt', 'id'], { where: `"operation_id" IS NULL` })
@Index('credentials_of_operations', ['operationId'], { where: `"operation_id" IS NOT NULL` })
export class CredentialEntity {
  @PrimaryColumn('uuid') id!: string;
  @Column('text', { name: 'tenant_id' }) tenantId!: string;
  @Column('text', { name: 'owner_id' }) ownerId!: string;
  @Column('text') host!: string;
  @Column('text') username!: string;
  /** Nonce, tag and ciphertext, see sealing-keys.ts. */
  @Column('bytea') sealed!: Buffer;
  @Column('text', { name: 'key_id' }) keyId!: string;
  @Column('uuid', { name: 'operation_id', nullable: true }) operationId!: string | null;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' }) createdAt!: Date;
}
