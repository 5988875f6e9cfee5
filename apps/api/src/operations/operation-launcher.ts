import { Inject, Injectable } from '@nestjs/common';
import {
  failureFrom,
  type Failure,
  type Operation,
  type OperationStore,
  type RunState,
  type SandboxStore,
  type WakeSender,
  type WorkflowInspector,
  type WorkflowStarter,
} from '#domain';
import type { Logger } from 'pino';
import { LOGGER, OPERATION_STORE, SANDBOX_STORE, WAKE_SENDER, WORKFLOWS } from '../tokens.js';

/** Row first, then Workflow: starts the run of an operation whose row is committed. */
@Injectable()
export class OperationLauncher {
  constructor(
    @Inject(OPERATION_STORE) private readonly operations: OperationStore,
    @Inject(SANDBOX_STORE) private readonly sandboxes: SandboxStore,
    @Inject(WORKFLOWS) private readonly workflows: WorkflowStarter & WorkflowInspector,
    @Inject(WAKE_SENDER) private readonly wakes: WakeSender,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /**
   * Starting a run that is there is starting it once, so a repeated request may call this again. A run that could not be
   * started and is not there ends its row, so that nothing holds the sandbox, and the error goes on to the client.
   */
  async launch(operation: Operation): Promise<void> {
    if (operation.state !== 'pending') return;
    try {
      await this.workflows.startOperation(operation);
    } catch (error) {
      const run = await this.runOf(operation);
      if (run === 'missing') await this.end(operation, failureFrom(error));
      // The answer to the start was lost, or another request has started it: it is on its way.
      if (run === 'missing' || run === 'unknown') throw error;
    }
    this.operations.markWorkflowsStarted([operation.id]).catch((error: unknown) => {
      this.log.warn(
        { operationId: operation.id, err: error },
        'The sweep will verify the start of this run.',
      );
    });
  }

  /** While nobody can say whether it runs, its row stays: another request may have started it, or the sweep will. */
  private async runOf({ id }: Operation): Promise<RunState | 'unknown'> {
    try {
      return await this.workflows.operationRun(id);
    } catch (error) {
      this.log.warn({ operationId: id, err: error }, 'The sweep will look after this operation.');
      return 'unknown';
    }
  }

  private async end({ id }: Operation, failure: Failure): Promise<void> {
    const ended = await this.sandboxes.withdrawOperation(id, failure);
    if (ended) this.wakes.wake(`operation:${id}`);
  }
}
