import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type WorkflowExecutionDescription,
  type WorkflowStartOptions,
} from '@temporalio/client';
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from '@temporalio/common';
import { limits } from '#domain';
import type {
  Bulk,
  BulkId,
  Exec,
  ExecId,
  Operation,
  OperationId,
  RunState,
  WorkflowInspector,
  WorkflowSignaller,
  WorkflowStarter,
} from '#domain';
import {
  ABORT_SIGNAL,
  attributesOf,
  BULK_ID,
  BULK_WORKFLOW,
  bulkWorkflowId,
  CANCEL_SIGNAL,
  CONTROL_TASK_QUEUE,
  EXEC_WORKFLOW,
  execInput,
  execWorkflowId,
  OP_KIND,
  OPERATION_WORKFLOWS,
  operationInput,
  operationWorkflowId,
  RETRY_SIGNAL,
  summaryOf,
  TENANT_ID,
  WAKE_SIGNAL,
  type BulkInput,
  type ExecInput,
  type OperationInput,
  type ParkDecision,
} from '#workflows/contract';
import type { TemporalConnection } from './connection.js';

/** The Workflow id is the row's id and is never reused, so starting twice is starting once. */
const ONCE = {
  workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
  workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
};

/** One run at a time, and another one where it has ended: for runs that go by what is left on their row. */
const AGAIN = {
  workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
  workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
  signalArgs: [],
};

export class TemporalWorkflowRuns implements WorkflowStarter, WorkflowSignaller, WorkflowInspector {
  constructor(private readonly temporal: TemporalConnection) {}

  get isAnswering(): boolean {
    return this.temporal.isAnswering;
  }

  async startExec(exec: Exec, firstTaskAfterMs = 0): Promise<void> {
    await this.startOnce(EXEC_WORKFLOW, {
      ...optionsOf(execWorkflowId(exec.id), execInput(exec), 'exec'),
      ...(firstTaskAfterMs > 0 ? { startDelay: firstTaskAfterMs } : {}),
    });
  }

  async cancelExecAnew(exec: Exec): Promise<void> {
    const options = optionsOf(execWorkflowId(exec.id), execInput(exec), 'exec');
    await this.temporal.call((client) =>
      client.workflow.signalWithStart(EXEC_WORKFLOW, { ...options, ...AGAIN, signal: CANCEL_SIGNAL }),
    );
  }

  async wakeBulk({ id, tenantId, work: { action } }: Bulk): Promise<void> {
    const input: BulkInput = { bulkId: id, tenantId, action, pageItems: limits.BULK_PAGE_ITEMS };
    await this.temporal.call((client) =>
      client.workflow.signalWithStart(BULK_WORKFLOW, {
        workflowId: bulkWorkflowId(id),
        taskQueue: CONTROL_TASK_QUEUE,
        args: [input],
        ...AGAIN,
        signal: WAKE_SIGNAL,
        typedSearchAttributes: [
          { key: TENANT_ID, value: tenantId },
          { key: OP_KIND, value: `bulk_${action}` },
          { key: BULK_ID, value: id },
        ],
        staticSummary: `bulk ${action} ${id}`,
      }),
    );
  }

  async startOperation(operation: Operation): Promise<void> {
    await this.startOnce(
      OPERATION_WORKFLOWS[operation.kind],
      optionsOf(operationWorkflowId(operation.id), operationInput(operation), operation.kind, 'running'),
    );
  }

  async wakeExec(id: ExecId): Promise<void> {
    await this.signal(execWorkflowId(id), WAKE_SIGNAL);
  }

  async cancelExec(id: ExecId): Promise<void> {
    await this.signal(execWorkflowId(id), CANCEL_SIGNAL);
  }

  async retryOperation(id: OperationId, decision: ParkDecision): Promise<void> {
    await this.signal(operationWorkflowId(id), RETRY_SIGNAL, decision);
  }

  async cancelOperation(id: OperationId): Promise<void> {
    await this.signal(operationWorkflowId(id), CANCEL_SIGNAL);
  }

  async abortOperation(id: OperationId, decision: ParkDecision): Promise<void> {
    await this.signal(operationWorkflowId(id), ABORT_SIGNAL, decision);
  }

  async execRun(id: ExecId): Promise<RunState> {
    return await this.runState(execWorkflowId(id));
  }

  async operationRun(id: OperationId): Promise<RunState> {
    return await this.runState(operationWorkflowId(id));
  }

  async bulkRun(id: BulkId): Promise<RunState> {
    return await this.runState(bulkWorkflowId(id));
  }

  private async startOnce(type: string, options: WorkflowStartOptions): Promise<void> {
    try {
      await this.temporal.call((client) => client.workflow.start(type, { ...options, ...ONCE }));
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }

  /** A run that has ended or is not there needs no signal any more. */
  private async signal(workflowId: string, name: string, decision?: ParkDecision): Promise<void> {
    try {
      await this.temporal.call((client) =>
        decision
          ? client.workflow.getHandle(workflowId).signal(name, decision)
          : client.workflow.getHandle(workflowId).signal(name),
      );
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }

  private async runState(workflowId: string): Promise<RunState> {
    try {
      const description = await this.temporal.call((client) =>
        client.workflow.getHandle(workflowId).describe(),
      );
      return stateOf(description);
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'missing';
      throw error;
    }
  }
}

function optionsOf(workflowId: string, input: ExecInput | OperationInput, kind: string, state?: string) {
  return {
    workflowId,
    taskQueue: CONTROL_TASK_QUEUE,
    args: [input],
    typedSearchAttributes: attributesOf(input, kind, state),
    staticSummary: summaryOf(input, kind),
  };
}

function stateOf(description: WorkflowExecutionDescription): RunState {
  switch (description.status.name) {
    case 'RUNNING':
    case 'PAUSED':
    case 'CONTINUED_AS_NEW':
      return 'running';
    case 'TERMINATED':
    case 'TIMED_OUT':
    case 'FAILED':
      return 'terminated';
    default:
      return 'closed';
  }
}
