import {
  DomainError,
  type ArchiveSummary,
  type NewSnapshot,
  type ObjectWrite,
  type Page,
  type SandboxId,
  type Snapshot,
  type SnapshotId,
  type SnapshotStore,
  type TenantId,
} from '#domain';
import { pageOf } from './memory-page.js';

export class MemorySnapshots implements SnapshotStore {
  readonly rows = new Map<SnapshotId, Snapshot>();
  /** Keys that nothing refers to yet. */
  readonly announced = new Set<string>();

  constructor(private readonly now: () => string) {}

  async begin(snapshot: NewSnapshot): Promise<Snapshot> {
    const before = await Promise.resolve(this.rows.get(snapshot.id));
    if (before?.state === 'ready') return before;
    const row: Snapshot = {
      ...snapshot,
      state: 'writing',
      parts: 0,
      manifestSha256: null,
      summary: null,
      createdAt: this.now(),
      readyAt: null,
    };
    this.rows.set(snapshot.id, row);
    return row;
  }

  async announce({ key }: ObjectWrite): Promise<void> {
    this.announced.add(key);
    await Promise.resolve();
  }

  async renew(): Promise<void> {
    await Promise.resolve();
  }

  async publish(
    { id, attempt }: Pick<Snapshot, 'id' | 'attempt'>,
    facts: { parts: number; manifestSha256: string; summary: ArchiveSummary },
  ): Promise<boolean> {
    const row = await Promise.resolve(this.rows.get(id));
    if (row?.state !== 'writing' || row.attempt !== attempt) return false;
    this.rows.set(id, { ...row, ...facts, state: 'ready', readyAt: this.now() });
    this.announced.clear();
    return true;
  }

  async discard(id: SnapshotId): Promise<void> {
    if (this.rows.get(id)?.state === 'writing') this.rows.delete(id);
    await Promise.resolve();
  }

  async find(tenantId: TenantId, id: SnapshotId): Promise<Snapshot | undefined> {
    const row = await Promise.resolve(this.rows.get(id));
    return row?.tenantId === tenantId ? row : undefined;
  }

  async get(id: SnapshotId): Promise<Snapshot> {
    const row = await Promise.resolve(this.rows.get(id));
    if (!row) throw new DomainError('not_found', 'There is no such snapshot.');
    return row;
  }

  async count(sandboxId: SandboxId): Promise<number> {
    return await Promise.resolve([...this.rows.values()].filter((row) => row.sandboxId === sandboxId).length);
  }

  async list(
    tenantId: TenantId,
    query: { sandboxId: SandboxId; limit: number; cursor?: string },
  ): Promise<Page<Snapshot>> {
    const rows = [...this.rows.values()].filter(
      (row) => row.tenantId === tenantId && row.sandboxId === query.sandboxId,
    );
    return await Promise.resolve(pageOf(rows, query));
  }

  async delete(tenantId: TenantId, id: SnapshotId): Promise<boolean> {
    return (await this.find(tenantId, id)) !== undefined && this.rows.delete(id);
  }

  async expire(): Promise<number> {
    return await Promise.resolve(0);
  }
}
