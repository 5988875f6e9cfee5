import {
  DomainError,
  isTerminal,
  needsStart,
  OPERATION_TRANSITIONS,
  type NewOperation,
  type NewSandbox,
  type Operation,
  type OperationId,
  type OwnerId,
  type Page,
  type Sandbox,
  type SandboxDesiredState,
  type SandboxId,
  type SandboxStore,
  type SandboxWithStart,
  type TenantId,
} from '#domain';
import { pageOf } from './memory-page.js';

/** Sandboxes and, because a start is made in the same transaction, the rows of operations. */
export class MemorySandboxes implements SandboxStore {
  readonly rows = new Map<SandboxId, Sandbox>();

  constructor(
    private readonly operations: Map<OperationId, Operation & { requestHash: string }>,
    private readonly now: () => string,
  ) {}

  async ensureStarted(sandbox: NewSandbox, start: NewOperation): Promise<SandboxWithStart> {
    this.refuseOtherRequest(start);
    const known = await this.findByName(sandbox.tenantId, sandbox.ownerId, sandbox.name);
    const row = known ?? this.add(sandbox);
    return { ...this.start(row, start), sandboxCreated: known === undefined };
  }

  async ensureStartedById(
    tenantId: TenantId,
    id: SandboxId,
    start: Pick<NewOperation, 'id' | 'requestHash'>,
  ): Promise<SandboxWithStart> {
    this.refuseOtherRequest(start);
    const row = await this.find(tenantId, id);
    if (!row) throw new DomainError('not_found', 'There is no such sandbox.');
    return { ...this.start(row, start), sandboxCreated: false };
  }

  async find(tenantId: TenantId, id: SandboxId): Promise<Sandbox | undefined> {
    const row = await Promise.resolve(this.rows.get(id));
    return row?.tenantId === tenantId ? row : undefined;
  }

  async findByName(tenantId: TenantId, ownerId: OwnerId, name: string): Promise<Sandbox | undefined> {
    return await Promise.resolve(
      [...this.rows.values()].find(
        (row) => row.tenantId === tenantId && row.ownerId === ownerId && row.name === name,
      ),
    );
  }

  async list(
    tenantId: TenantId,
    query: { ownerId?: OwnerId; limit: number; cursor?: string },
  ): Promise<Page<Sandbox>> {
    const rows = [...this.rows.values()].filter(
      (row) => row.tenantId === tenantId && (query.ownerId === undefined || row.ownerId === query.ownerId),
    );
    return await Promise.resolve(pageOf(rows, query));
  }

  async get(id: SandboxId): Promise<Sandbox> {
    const row = await Promise.resolve(this.rows.get(id));
    if (!row) throw new DomainError('not_found', 'There is no such sandbox.');
    return row;
  }

  async listOnHost(hostId: Sandbox['hostId']): Promise<Sandbox[]> {
    return await Promise.resolve([...this.rows.values()].filter((row) => row.hostId === hostId));
  }

  async raiseGeneration(id: SandboxId): Promise<number> {
    const { generation } = await this.get(id);
    this.change(id, { generation: generation + 1 });
    return generation + 1;
  }

  async observeByOperation(
    id: SandboxId,
    _operationId: OperationId,
    seen: Parameters<SandboxStore['observeByOperation']>[2],
  ): Promise<boolean> {
    this.change(id, seen);
    return await Promise.resolve(true);
  }

  async observeDrift(id: SandboxId, seen: Parameters<SandboxStore['observeDrift']>[1]): Promise<boolean> {
    this.change(id, seen);
    return await Promise.resolve(true);
  }

  async setDesired(id: SandboxId, desiredState: SandboxDesiredState): Promise<void> {
    this.change(id, { desiredState });
    await Promise.resolve();
  }

  change(id: SandboxId, change: Partial<Sandbox>): void {
    const row = this.rows.get(id);
    if (row) this.rows.set(id, { ...row, ...change, updatedAt: this.now() });
  }

  private add(sandbox: NewSandbox): Sandbox {
    const row: Sandbox = {
      ...sandbox,
      generation: 0,
      desiredState: 'running',
      observedState: 'none',
      containerId: null,
      failure: null,
      createdAt: this.now(),
      updatedAt: this.now(),
    };
    this.rows.set(row.id, row);
    return row;
  }

  private start(sandbox: Sandbox, start: Pick<NewOperation, 'id' | 'requestHash'>) {
    const live = [...this.operations.values()].find(
      (row) => row.sandboxId === sandbox.id && !isTerminal(OPERATION_TRANSITIONS, row.state),
    );
    if (live) return { sandbox, operation: live, operationCreated: false };
    if (!needsStart(sandbox)) return { sandbox, operation: null, operationCreated: false };
    const ended = this.operations.get(start.id);
    if (ended) return { sandbox, operation: ended, operationCreated: false };
    const operation = {
      id: start.id,
      tenantId: sandbox.tenantId,
      ownerId: sandbox.ownerId,
      sandboxId: sandbox.id,
      hostId: sandbox.hostId,
      kind: 'start' as const,
      state: 'pending' as const,
      steps: [],
      park: null,
      failure: null,
      createdAt: this.now(),
      startedAt: null,
      finishedAt: null,
      requestHash: start.requestHash,
    };
    this.operations.set(operation.id, operation);
    return { sandbox, operation, operationCreated: true };
  }

  private refuseOtherRequest(start: Pick<NewOperation, 'id' | 'requestHash'>): void {
    const before = this.operations.get(start.id);
    if (before && before.requestHash !== start.requestHash) {
      throw new DomainError('idempotency_key_reused', 'This Idempotency-Key was used for another request.');
    }
  }
}
