import {
  DomainError,
  type Bulk,
  type BulkId,
  type Correction,
  type Exec,
  type ExecId,
  type Operation,
  type OperationId,
  type RunState,
  type WorkflowInspector,
  type WorkflowSignaller,
  type WorkflowStarter,
} from '#domain';

/** Records what it was asked to start and to tell. `away` answers as a server that is not there. */
export class MemoryWorkflows implements WorkflowStarter, WorkflowSignaller, WorkflowInspector {
  away = false;
  /** What is known without asking. */
  isAnswering = true;
  /** The next start arrives or not, and its answer is lost. */
  losesNextAnswer: 'arrived' | 'lost' | undefined;
  readonly startedExecs = new Set<ExecId>();
  readonly startedOperations = new Set<OperationId>();
  readonly wokenBulks = new Set<BulkId>();
  readonly signals: string[] = [];

  async startExec(exec: Exec): Promise<void> {
    await this.answer();
    this.startedExecs.add(exec.id);
  }

  async startOperation(operation: Operation): Promise<void> {
    await this.answer();
    const lost = this.losesNextAnswer;
    this.losesNextAnswer = undefined;
    if (lost !== 'lost') this.startedOperations.add(operation.id);
    if (lost) throw doesNotAnswer();
  }

  async wakeBulk(bulk: Bulk): Promise<void> {
    await this.answer();
    this.wokenBulks.add(bulk.id);
  }

  async cancelExecAnew(exec: Exec): Promise<void> {
    await this.signal(`cancel-anew ${exec.id}`);
  }

  async wakeExec(id: ExecId): Promise<void> {
    await this.signal(`wake ${id}`);
  }

  async cancelExec(id: ExecId): Promise<void> {
    await this.signal(`cancel ${id}`);
  }

  async retryOperation(
    id: OperationId,
    { step, parkNo, input }: { step: string; parkNo: number; input?: Correction },
  ): Promise<void> {
    await this.signal(`retry ${id} ${step} ${parkNo}${input ? ` ${JSON.stringify(input)}` : ''}`);
  }

  async cancelOperation(id: OperationId): Promise<void> {
    await this.signal(`cancel-operation ${id}`);
  }

  async abortOperation(id: OperationId, decision: { step: string; parkNo: number }): Promise<void> {
    await this.signal(`abort ${id} ${decision.step} ${decision.parkNo}`);
  }

  async execRun(id: ExecId): Promise<RunState> {
    await this.answer();
    return this.startedExecs.has(id) ? 'running' : 'missing';
  }

  async operationRun(id: OperationId): Promise<RunState> {
    await this.answer();
    return this.startedOperations.has(id) ? 'running' : 'missing';
  }

  async bulkRun(id: BulkId): Promise<RunState> {
    await this.answer();
    return this.wokenBulks.has(id) ? 'running' : 'missing';
  }

  private async signal(what: string): Promise<void> {
    await this.answer();
    this.signals.push(what);
  }

  private async answer(): Promise<void> {
    await Promise.resolve();
    if (this.away) throw doesNotAnswer();
  }
}

function doesNotAnswer(): DomainError {
  return new DomainError('dependency_unavailable', 'Temporal does not answer.', {
    dependency: 'temporal',
    retryAfterSeconds: 2,
  });
}
