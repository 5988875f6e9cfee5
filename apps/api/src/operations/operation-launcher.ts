import { Inject, Injectable } from '@nestjs/common';
import {
  failureFrom,
  type Operation,
  type OperationStore,
  type WakeSender,
  type WorkflowStarter,
} from '#domain';
import type { Logger } from 'pino';
import { LOGGER, OPERATION_STORE, WAKE_SENDER, WORKFLOWS } from '../tokens.js';

/** Row first, then Workflow: starts the run of an operation whose row is committed. */
@Injectable()
export class OperationLauncher {
  constructor(
    @Inject(OPERATION_STORE) private readonly operations: OperationStore,
    @Inject(WORKFLOWS) private readonly workflows: WorkflowStarter,
    @Inject(WAKE_SENDER) private readonly wakes: WakeSender,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /**
   * Starting a run that is there is starting it once, so a repeated request may call this again. A run that cannot be
   * started ends its row, so that nothing holds the sandbox, and the error goes on to the client.
   */
  async launch(operation: Operation): Promise<void> {
    if (operation.state !== 'pending') return;
    try {
      await this.workflows.startOperation(operation);
    } catch (error) {
      const ended = await this.operations.move(operation.id, ['pending'], 'failed', {
        failure: failureFrom(error),
      });
      if (ended) this.wakes.wake(`operation:${operation.id}`);
      // Another process has started it meanwhile: then it is on its way.
      else return;
      throw error;
    }
    this.operations.markWorkflowStarted(operation.id).catch((error: unknown) => {
      this.log.warn(
        { operationId: operation.id, err: error },
        'The sweep will verify the start of this run.',
      );
    });
  }
}
