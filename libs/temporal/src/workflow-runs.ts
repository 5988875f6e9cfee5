import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type WorkflowExecutionDescription,
  type WorkflowStartOptions,
} from '@temporalio/client';
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from '@temporalio/common';
import type {
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
  CANCEL_SIGNAL,
  CONTROL_TASK_QUEUE,
  EXEC_WORKFLOW,
  execWorkflowId,
  HOST_ID,
  OP_KIND,
  OP_STATE,
  OPERATION_WORKFLOWS,
  operationInput,
  operationWorkflowId,
  OWNER_ID,
  RETRY_SIGNAL,
  SANDBOX_ID,
  TENANT_ID,
  WAKE_SIGNAL,
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
    const input = execInput(exec);
    await this.temporal.call((client) =>
      client.workflow.signalWithStart(EXEC_WORKFLOW, {
        ...optionsOf(execWorkflowId(exec.id), input, 'exec'),
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
        signal: CANCEL_SIGNAL,
        signalArgs: [],
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

  async abortOperation(id: OperationId, decision: ParkDecision): Promise<void> {
    await this.signal(operationWorkflowId(id), ABORT_SIGNAL, decision);
  }

  async execRun(id: ExecId): Promise<RunState> {
    return await this.runState(execWorkflowId(id));
  }

  async operationRun(id: OperationId): Promise<RunState> {
    return await this.runState(operationWorkflowId(id));
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

function execInput(exec: Exec): ExecInput {
  return {
    execId: exec.id,
    tenantId: exec.tenantId,
    ownerId: exec.ownerId,
    sandboxId: exec.sandboxId,
    hostId: exec.hostId,
    queueDeadlineMs: Date.parse(exec.createdAt) + exec.request.queueTimeoutSeconds * 1_000,
    timeoutSeconds: exec.request.timeoutSeconds,
    looksFirst: true,
  };
}

/**
 * The summary holds no part of a command: it is readable by everyone who may open the Web UI. An exec names its state only
 * where it ended otherwise than well: Temporal's own status tells the rest, and each change of an attribute costs a write.
 */
function optionsOf(workflowId: string, input: ExecInput | OperationInput, kind: string, state?: string) {
  return {
    workflowId,
    taskQueue: CONTROL_TASK_QUEUE,
    args: [input],
    typedSearchAttributes: [
      { key: TENANT_ID, value: input.tenantId },
      { key: OWNER_ID, value: input.ownerId },
      { key: SANDBOX_ID, value: input.sandboxId },
      { key: HOST_ID, value: input.hostId },
      { key: OP_KIND, value: kind },
      ...(state === undefined ? [] : [{ key: OP_STATE, value: state }]),
    ],
    staticSummary: `${kind} in sandbox ${input.sandboxId} of ${input.ownerId}`,
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
