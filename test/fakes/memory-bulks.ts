import {
  BULK_ITEM_RETRIABLE,
  BULK_ITEM_STATES,
  controlled,
  decideControl,
  DomainError,
  type Bulk,
  type BulkControl,
  type BulkCounts,
  type BulkId,
  type BulkItem,
  type BulkItemState,
  type BulkSelection,
  type BulkState,
  type BulkStore,
  type BulkSweepStore,
  type ControlDecision,
  type Ensured,
  type Failure,
  type NewBulk,
  type OwnerId,
  type Page,
  type Sandbox,
  type SandboxId,
  type SelectedSandboxes,
  type TenantId,
} from '#domain';
import { pageOf } from './memory-page.js';

/** Bulk operations as the API sees them; tests play the part of the run by changing rows and items. */
export class MemoryBulks implements BulkStore, BulkSweepStore {
  readonly rows = new Map<BulkId, Bulk>();
  readonly itemsOf = new Map<BulkId, BulkItem[]>();
  /** What the sweep finds. */
  unattended: BulkId[] = [];
  unverified: BulkId[] = [];

  constructor(
    private readonly sandboxes: ReadonlyMap<SandboxId, Sandbox>,
    private readonly now: () => string,
  ) {}

  async create(bulk: NewBulk): Promise<Ensured<Bulk>> {
    const before = await Promise.resolve(this.rows.get(bulk.id));
    if (before && before.requestHash !== bulk.requestHash) {
      throw new DomainError('idempotency_key_reused', 'This Idempotency-Key was used for another request.');
    }
    if (before?.state === 'canceled' && before.startedAt === null && before.failure !== null) {
      this.rows.set(bulk.id, { ...before, state: 'pending', failure: null, finishedAt: null });
      return { row: this.row(bulk.id), created: true };
    }
    if (before) return { row: before, created: false };
    const selected = this.selected(bulk.tenantId, bulk.selection);
    const { selection, ...asked } = bulk;
    this.itemsOf.set(bulk.id, selected.map(pendingItem));
    this.rows.set(bulk.id, {
      ...asked,
      ownerId: ownerOf(selected),
      selector: selection.kind === 'selector' ? selection.selector : null,
      state: 'pending',
      round: 1,
      pauseNo: 0,
      pause: null,
      failuresForgiven: 0,
      failure: null,
      counts: countsOf([]),
      createdAt: this.now(),
      startedAt: null,
      finishedAt: null,
    });
    return { row: this.row(bulk.id), created: true };
  }

  async select(tenantId: TenantId, selection: BulkSelection, limit: number): Promise<SelectedSandboxes> {
    const sandboxes = await Promise.resolve(this.selected(tenantId, selection));
    return { total: sandboxes.length, sandboxes: sandboxes.slice(0, limit) };
  }

  async find(tenantId: TenantId, id: BulkId): Promise<Bulk | undefined> {
    const found = await Promise.resolve(this.rows.get(id));
    return found?.tenantId === tenantId ? this.row(id) : undefined;
  }

  async list(
    tenantId: TenantId,
    query: { state?: BulkState; limit: number; cursor?: string },
  ): Promise<Page<Bulk>> {
    const rows = [...this.rows.keys()].map((id) => this.row(id));
    const listed = rows.filter(
      (row) => row.tenantId === tenantId && row.state === (query.state ?? row.state),
    );
    return await Promise.resolve(pageOf(listed, query));
  }

  async items(
    id: BulkId,
    query: { state?: BulkItemState; limit: number; cursor?: string },
  ): Promise<Page<BulkItem>> {
    const all = (this.itemsOf.get(id) ?? []).filter(({ state }) => state === (query.state ?? state));
    const after = all.filter(({ number }) => number > Number(query.cursor ?? 0));
    const items = await Promise.resolve(after.slice(0, query.limit));
    return { items, nextCursor: after.length > items.length ? String(items.at(-1)?.number) : null };
  }

  async control(id: BulkId, asked: BulkControl): Promise<{ bulk: Bulk; decision: ControlDecision }> {
    const bulk = await Promise.resolve(this.row(id));
    const decision = decideControl(bulk, asked);
    if (decision !== 'apply') return { bulk, decision };
    const changed = this.changeItems(id, asked);
    if (asked.control === 'retry_failed' && !changed) return { bulk, decision: 'so_already' };
    const round = bulk.round + (asked.control === 'retry_failed' ? 1 : 0);
    this.rows.set(id, { ...bulk, ...controlled(bulk, asked, Date.parse(this.now())), round });
    return { bulk: this.row(id), decision };
  }

  async withdraw(id: BulkId, failure: Failure): Promise<boolean> {
    const bulk = await Promise.resolve(this.row(id));
    if (bulk.state !== 'pending') return false;
    this.rows.set(id, { ...bulk, state: 'canceled', failure, finishedAt: this.now() });
    return true;
  }

  async listUnattended(): Promise<Bulk[]> {
    return await Promise.resolve(this.unattended.map((id) => this.row(id)));
  }

  async takeUnverified(): Promise<Bulk[]> {
    return await Promise.resolve(this.unverified.map((id) => this.row(id)));
  }

  private changeItems(id: BulkId, asked: BulkControl): boolean {
    const items = this.itemsOf.get(id) ?? [];
    const becomes = ({ state, sandboxId }: BulkItem): BulkItemState => {
      if (asked.control === 'cancel' && state === 'pending') return 'canceled';
      const isMeant = asked.control === 'retry_failed' && (asked.sandboxIds?.includes(sandboxId) ?? true);
      return isMeant && BULK_ITEM_RETRIABLE.includes(state) ? 'pending' : state;
    };
    const changed = items.map((item) => ({ ...item, state: becomes(item) }));
    this.itemsOf.set(id, changed);
    return changed.some(({ state }, at) => state !== items[at]?.state);
  }

  private selected(tenantId: TenantId, selection: BulkSelection): Sandbox[] {
    const mine = [...this.sandboxes.values()].filter((sandbox) => sandbox.tenantId === tenantId);
    if (selection.kind === 'selector') {
      const { owner, state } = selection.selector;
      return mine.filter(
        (sandbox) =>
          sandbox.observedState !== 'deleted' &&
          (owner?.includes(sandbox.ownerId) ?? true) &&
          (state?.includes(sandbox.observedState) ?? true),
      );
    }
    return selection.ids.map((id, at) => {
      const found = mine.find((sandbox) => sandbox.id === id);
      if (found) return found;
      throw new DomainError('not_found', 'There is no such sandbox.', { pointer: `/sandboxIds/${at}` });
    });
  }

  private row(id: BulkId): Bulk {
    const row = this.rows.get(id);
    if (!row) throw new DomainError('not_found', 'There is no such bulk operation.');
    return { ...row, counts: countsOf(this.itemsOf.get(id) ?? []) };
  }
}

function ownerOf(sandboxes: readonly Sandbox[]): OwnerId | null {
  const owners = new Set(sandboxes.map(({ ownerId }) => ownerId));
  return owners.size === 1 ? (sandboxes[0]?.ownerId ?? null) : null;
}

const countsOf = (items: readonly BulkItem[]): BulkCounts =>
  Object.fromEntries(
    BULK_ITEM_STATES.map((state) => [state, items.filter((item) => item.state === state).length]),
  ) as unknown as BulkCounts;

const pendingItem = ({ id, ownerId }: Sandbox, at: number): BulkItem => ({
  number: at + 1,
  sandboxId: id,
  ownerId,
  state: 'pending',
  phase: null,
  attempts: 0,
  failure: null,
  operationId: null,
  execId: null,
  startedAt: null,
  finishedAt: null,
});
