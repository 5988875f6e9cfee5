import {
  DomainError,
  isTerminal,
  OPERATION_TRANSITIONS,
  stepBegun,
  stepEnded,
  stepProgressed,
  type Correction,
  type Failure,
  type Operation,
  type OperationId,
  type OperationOutcome,
  type OperationState,
  type OperationStore,
  type Page,
  type Park,
  type SandboxId,
  type StepProgress,
  type TenantId,
  touchesSandbox,
} from '#domain';
import { pageOf } from './memory-page.js';

export class MemoryOperations implements OperationStore {
  readonly rows = new Map<OperationId, Operation & { requestHash: string }>();
  readonly workflowsStarted = new Set<OperationId>();

  constructor(private readonly now: () => string) {}

  async find(tenantId: TenantId, id: OperationId): Promise<Operation | undefined> {
    const row = await Promise.resolve(this.rows.get(id));
    return row?.tenantId === tenantId ? row : undefined;
  }

  async get(id: OperationId): Promise<Operation> {
    const row = await Promise.resolve(this.rows.get(id));
    if (!row) throw new DomainError('not_found', 'There is no such operation.');
    return row;
  }

  async list(
    tenantId: TenantId,
    query: { state?: OperationState; sandboxId?: SandboxId; limit: number; cursor?: string },
  ): Promise<Page<Operation>> {
    const rows = [...this.rows.values()].filter(
      (row) =>
        row.tenantId === tenantId &&
        (query.state === undefined || row.state === query.state) &&
        (query.sandboxId === undefined || row.sandboxId === query.sandboxId),
    );
    return await Promise.resolve(pageOf(rows, query));
  }

  async noteProgress(id: OperationId, step: string, progress: StepProgress): Promise<void> {
    const row = await this.get(id);
    this.rows.set(id, { ...row, steps: stepProgressed(row.steps, step, progress) } as never);
  }

  async correctGit(id: OperationId, correction: Correction): Promise<boolean> {
    const row = await Promise.resolve(this.rows.get(id));
    if (!row?.options.git || isTerminal(OPERATION_TRANSITIONS, row.state)) return false;
    this.rows.set(id, { ...row, options: { ...row.options, git: { ...row.options.git, ...correction } } });
    return true;
  }

  async move(
    id: OperationId,
    from: readonly OperationState[],
    to: OperationState,
    change: { park?: Park | null; failure?: Failure | null } = {},
  ): Promise<boolean> {
    const row = await Promise.resolve(this.rows.get(id));
    if (!row || !from.includes(row.state)) return false;
    this.rows.set(id, {
      ...row,
      state: to,
      park: change.park ?? null,
      failure: change.failure ?? null,
      startedAt: row.startedAt ?? (to === 'running' ? this.now() : null),
      finishedAt: isTerminal(OPERATION_TRANSITIONS, to) ? this.now() : null,
    });
    return true;
  }

  async beginStep(id: OperationId, step: string, at: string): Promise<Operation> {
    await this.move(id, ['pending'], 'running');
    if (isTerminal(OPERATION_TRANSITIONS, (await this.get(id)).state)) {
      throw new DomainError('invalid_state', 'The operation has ended and no longer holds its sandbox.');
    }
    return this.changeSteps(await this.get(id), (steps) => stepBegun(steps, step, at));
  }

  async endStep(id: OperationId, step: string, at: string, failure: Failure | null): Promise<void> {
    this.changeSteps(await this.get(id), (steps) => stepEnded(steps, step, at, failure));
  }

  async recordResult(id: OperationId, result: OperationOutcome): Promise<boolean> {
    const row = await Promise.resolve(this.rows.get(id));
    if (!row || isTerminal(OPERATION_TRANSITIONS, row.state)) return false;
    this.rows.set(id, { ...row, result });
    return true;
  }

  async liveSandboxes(): Promise<ReadonlySet<SandboxId>> {
    const live = [...this.rows.values()].filter(
      (row) => !isTerminal(OPERATION_TRANSITIONS, row.state) && touchesSandbox(row.kind),
    );
    return await Promise.resolve(new Set(live.map(({ sandboxId }) => sandboxId)));
  }

  async markWorkflowsStarted(ids: readonly OperationId[]): Promise<void> {
    for (const id of ids) this.workflowsStarted.add(id);
    await Promise.resolve();
  }

  private changeSteps(row: Operation, change: (steps: Operation['steps']) => Operation['steps']): Operation {
    const requestHash = this.rows.get(row.id)?.requestHash ?? '';
    const changed = { ...row, steps: change(row.steps), requestHash };
    this.rows.set(row.id, changed);
    return changed;
  }
}
