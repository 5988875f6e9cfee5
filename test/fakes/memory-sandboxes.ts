import {
  decideNeed,
  decideRequest,
  configured,
  DEFAULT_SETTINGS,
  desiredAfter,
  desiredAfterGivingUp,
  DomainError,
  forgivesRestarts,
  isTerminal,
  NO_HEALTH,
  OPERATION_TRANSITIONS,
  optionsFor,
  restartsWith,
  type PlannedRestart,
  settingsAfter,
  settledOptions,
  type Correction,
  type Failure,
  type NewOperation,
  type NewSandbox,
  type Operation,
  type OperationId,
  type OperationRequest,
  type OwnerId,
  type Page,
  type RequestDecision,
  type RequestedOperation,
  type Sandbox,
  type SandboxDesiredState,
  type SandboxId,
  type SandboxStore,
  type SandboxWithStart,
  type SettingsChange,
  type TakenOver,
  type TenantId,
  type WorkspaceId,
  touchesSandbox,
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
    if (start.kind === 'start') return { ...this.start(row, start), sandboxCreated: known === undefined };
    const asked = { ...start, options: start.options ?? {}, parks: true };
    const { created, ...rest } = this.create(row, { ...asked, options: settledOptions(row, asked) }, null);
    return { ...rest, operationCreated: created, sandboxCreated: known === undefined };
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

  async requestOperation(
    tenantId: TenantId,
    id: SandboxId,
    request: OperationRequest,
  ): Promise<RequestedOperation> {
    this.refuseOtherRequest(request);
    const sandbox = await this.find(tenantId, id);
    if (!sandbox) throw new DomainError('not_found', 'There is no such sandbox.');
    const before = this.operations.get(request.id);
    if (before) return { sandbox, operation: before, created: false };
    const settled = { ...request, options: settledOptions(sandbox, request) };
    const requested = this.carryOut(sandbox, settled, decideRequest(sandbox, this.liveOf(sandbox), settled));
    if (!requested.created || !forgivesRestarts(settled)) return requested;
    const forgiven = { ...requested.sandbox, restarts: [] };
    this.rows.set(id, forgiven);
    return { ...requested, sandbox: forgiven };
  }

  async withdrawOperation(id: OperationId, failure: Failure): Promise<boolean> {
    const operation = this.operations.get(id);
    if (operation?.state !== 'pending') return false;
    this.operations.set(id, { ...operation, state: 'failed', failure, finishedAt: this.now() });
    const { observedState } = await this.get(operation.sandboxId);
    this.change(operation.sandboxId, { desiredState: desiredAfterGivingUp(observedState) });
    return true;
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

  async list(tenantId: TenantId, query: Parameters<SandboxStore['list']>[1]): Promise<Page<Sandbox>> {
    const wanted = Object.entries(query.labels ?? {});
    const rows = [...this.rows.values()].filter(
      (row) =>
        row.tenantId === tenantId &&
        (query.ownerId === undefined || row.ownerId === query.ownerId) &&
        wanted.every(([name, value]) => row.labels[name] === value),
    );
    return await Promise.resolve(pageOf(rows, query));
  }

  async get(id: SandboxId): Promise<Sandbox> {
    const row = await Promise.resolve(this.rows.get(id));
    if (!row) throw new DomainError('not_found', 'There is no such sandbox.');
    return row;
  }

  async listOnHost(hostId: Sandbox['hostId']): Promise<Sandbox[]> {
    const rows = [...this.rows.values()];
    return await Promise.resolve(
      rows.filter((row) => row.hostId === hostId && row.observedState !== 'deleted'),
    );
  }

  async raiseGeneration(id: SandboxId, operationId: OperationId): Promise<number> {
    const row = await this.get(id);
    if (row.operationId === operationId) return row.generation;
    const generation = row.generation + 1;
    this.change(id, {
      generation,
      operationId,
      observedState: 'starting',
      containerId: null,
      health: NO_HEALTH,
    });
    return generation;
  }

  async observeByOperation(
    id: SandboxId,
    operationId: OperationId,
    seen: Parameters<SandboxStore['observeByOperation']>[2],
  ): Promise<boolean> {
    const row = await this.get(id);
    const operation = this.operations.get(operationId);
    const holds = operation !== undefined && !isTerminal(OPERATION_TRANSITIONS, operation.state);
    if (!holds || row.generation !== seen.generation || row.observedState === 'deleted') return false;
    this.change(id, seen);
    return true;
  }

  async correctByOperation(
    id: SandboxId,
    operationId: OperationId,
    correction: Correction,
  ): Promise<boolean> {
    const operation = this.operations.get(operationId);
    if (!operation || isTerminal(OPERATION_TRANSITIONS, operation.state)) return false;
    const { workspace, ...rest } = correction;
    this.change(id, { ...rest, ...(workspace === 'empty' ? { workspaceMade: false } : {}) });
    return await Promise.resolve(true);
  }

  async recordWorkspace(id: SandboxId, operationId: OperationId): Promise<boolean> {
    return await this.switchWorkspace(id, operationId, (await this.get(id)).workspaceId);
  }

  async switchWorkspace(
    id: SandboxId,
    operationId: OperationId,
    workspaceId: WorkspaceId | null,
  ): Promise<boolean> {
    const operation = this.operations.get(operationId);
    if (!operation || isTerminal(OPERATION_TRANSITIONS, operation.state)) return false;
    this.change(id, { workspaceId, workspaceMade: true });
    return await Promise.resolve(true);
  }

  async observeDrift(id: SandboxId, seen: Parameters<SandboxStore['observeDrift']>[1]): Promise<boolean> {
    const { unchangedSince, restart = null, ...others } = seen;
    const changes = { ...others, restartDue: dueFrom(restart) };
    const row = await this.get(id);
    const live = this.liveOf(row);
    const isHeld = (live && touchesSandbox(live.kind)) || row.observedState === seen.observedState;
    if (isHeld || (unchangedSince !== undefined && unchangedSince !== row.updatedAt)) return false;
    this.change(id, changes);
    return true;
  }

  async configure(
    tenantId: TenantId,
    id: SandboxId,
    change: SettingsChange,
    ifVersion?: number,
  ): Promise<Sandbox> {
    const row = await this.find(tenantId, id);
    if (!row) throw new DomainError('not_found', 'There is no such sandbox.');
    this.change(id, configured(row, change, ifVersion));
    return await this.get(id);
  }

  async takeDueChecks(hostId: Sandbox['hostId']): Promise<Sandbox[]> {
    return (await this.listOnHost(hostId)).filter(
      (row) => row.healthCheck !== null && row.observedState === 'running' && this.liveOf(row) === undefined,
    );
  }

  async recordHealth(
    id: SandboxId,
    { generation, settingsVersion, health, restart }: Parameters<SandboxStore['recordHealth']>[1],
    holder: OperationId | null,
  ): Promise<boolean> {
    const row = await this.get(id);
    if (row.generation !== generation || row.settingsVersion !== settingsVersion) return false;
    if ((this.liveOf(row)?.id ?? null) !== holder) return false;
    this.change(id, { health, ...(restart === undefined ? {} : { restartDue: dueFrom(restart) }) });
    return true;
  }

  async beginRestart(id: SandboxId, operationId: OperationId): Promise<Operation | undefined> {
    const row = await this.get(id);
    if (row.restartDue === null || this.liveOf(row) !== undefined) return undefined;
    const options = { because: row.restartDue.cause };
    const kind = options.because === 'unhealthy' ? 'restart' : 'start';
    const asked = { id: operationId, requestHash: '', kind, options, parks: true } as const;
    this.change(id, { restartDue: null, restarts: restartsWith(row.restarts, this.now()) });
    return this.create(row, asked, null).operation ?? undefined;
  }

  async forgiveRestarts(id: SandboxId): Promise<void> {
    await Promise.resolve();
    this.change(id, { restarts: [] });
  }

  async beginIdleStop(id: SandboxId, operationId: OperationId): Promise<Operation | undefined> {
    const row = await this.get(id);
    if (row.idleStopSeconds === null || this.liveOf(row) !== undefined) return undefined;
    const asked = {
      id: operationId,
      requestHash: '',
      kind: 'stop',
      options: { because: 'idle' },
      parks: true,
    } as const;
    const { operation } = this.create(row, asked, null);
    this.change(id, { observedState: 'stopping' });
    return operation ?? undefined;
  }

  /** How often each was said to be used. */
  readonly uses = new Map<SandboxId, number>();

  async noteUse(ids: readonly SandboxId[]): Promise<SandboxId[]> {
    const running = ids.filter((id) => this.rows.get(id)?.observedState === 'running');
    for (const id of running) this.uses.set(id, (this.uses.get(id) ?? 0) + 1);
    return await Promise.resolve(running);
  }

  async setDesired(id: SandboxId, desiredState: SandboxDesiredState): Promise<void> {
    this.change(id, { desiredState });
    await Promise.resolve();
  }

  change(id: SandboxId, change: Partial<Sandbox>): void {
    const row = this.rows.get(id);
    if (row) this.rows.set(id, { ...row, ...change, updatedAt: this.now() });
  }

  private add({ settings = {}, ...sandbox }: NewSandbox): Sandbox {
    const row: Sandbox = {
      labels: {},
      ...sandbox,
      ...settingsAfter(DEFAULT_SETTINGS, settings),
      settingsVersion: 1,
      health: NO_HEALTH,
      restarts: [],
      restartDue: null,
      workspaceId: null,
      workspaceMade: false,
      generation: 0,
      operationId: null,
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
    const asked = { ...start, kind: 'start', options: {}, parks: true } as const;
    const { created, ...rest } = this.carryOut(sandbox, asked, decideNeed(sandbox, this.liveOf(sandbox)));
    return { ...rest, operationCreated: created };
  }

  private carryOut(sandbox: Sandbox, asked: OperationRequest, decision: RequestDecision): RequestedOperation {
    const live = this.liveOf(sandbox);
    const { id: operationId, kind, state } = live ?? {};
    switch (decision) {
      case 'nothing':
        return { sandbox: this.wish(sandbox, asked), operation: null, created: false };
      case 'join':
        return { sandbox: this.wish(sandbox, asked), operation: live ?? null, created: false };
      case 'create':
        return this.create(sandbox, asked, null);
      case 'take_over':
        return this.create(sandbox, asked, this.takeOver(live));
      case 'in_progress':
        throw new DomainError('operation_in_progress', `The sandbox is held by a ${kind}.`, {
          extra: { operationId: operationId ?? null, kind: kind ?? null, state: state ?? null },
        });
      case 'not_allowed':
        throw new DomainError('invalid_state', `It takes no ${asked.kind}.`);
      case 'deleted':
        throw new DomainError('sandbox_deleted', 'The sandbox has been deleted.');
    }
  }

  private create(sandbox: Sandbox, asked: OperationRequest, tookOver: TakenOver | null): RequestedOperation {
    const ended = this.operations.get(asked.id);
    if (ended) return { sandbox, operation: ended, created: false };
    const operation = {
      ...asked,
      options: optionsFor(sandbox, asked),
      tenantId: sandbox.tenantId,
      ownerId: sandbox.ownerId,
      sandboxId: sandbox.id,
      hostId: sandbox.hostId,
      tookOver,
      state: 'pending' as const,
      steps: [],
      park: null,
      failure: null,
      result: null,
      createdAt: this.now(),
      startedAt: null,
      finishedAt: null,
    };
    this.operations.set(operation.id, operation);
    return { sandbox: this.wish(sandbox, asked), operation, created: true };
  }

  private wish(sandbox: Sandbox, asked: OperationRequest): Sandbox {
    const desiredState = desiredAfter(asked) ?? sandbox.desiredState;
    if (sandbox.desiredState !== desiredState) this.change(sandbox.id, { desiredState });
    return this.rows.get(sandbox.id) ?? sandbox;
  }

  private takeOver(live: (Operation & { requestHash: string }) | undefined): TakenOver | null {
    if (!live?.park) return null;
    const { step, parkNo } = live.park;
    this.operations.set(live.id, { ...live, state: 'canceled', park: null, finishedAt: this.now() });
    return { operationId: live.id, step, parkNo };
  }

  private liveOf(sandbox: Sandbox) {
    return [...this.operations.values()].find(
      (row) => row.sandboxId === sandbox.id && !isTerminal(OPERATION_TRANSITIONS, row.state),
    );
  }

  private refuseOtherRequest(start: Pick<NewOperation, 'id' | 'requestHash'>): void {
    const before = this.operations.get(start.id);
    if (before && before.requestHash !== start.requestHash) {
      throw new DomainError('idempotency_key_reused', 'This Idempotency-Key was used for another request.');
    }
  }
}

const dueFrom = (planned: PlannedRestart | null): Sandbox['restartDue'] =>
  planned && { at: new Date(Date.now() + planned.delayMs).toISOString(), cause: planned.cause };
