import { Inject, Injectable } from '@nestjs/common';
import {
  DomainError,
  failureFrom,
  isDomainError,
  notStartedEnd,
  type Exec,
  type ExecState,
  type ExecStore,
  type WakeSender,
  type WorkflowStarter,
} from '#domain';
import type { Logger } from 'pino';
import { EXEC_STORE, LOGGER, WAKE_SENDER, WORKFLOWS } from '../tokens.js';

/** Row first, then Workflow: starts the run of an exec whose row is committed. */
@Injectable()
export class ExecLauncher {
  constructor(
    @Inject(EXEC_STORE) private readonly execs: ExecStore,
    @Inject(WORKFLOWS) private readonly workflows: WorkflowStarter,
    @Inject(WAKE_SENDER) private readonly wakes: WakeSender,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** Starting a run that is there is starting it once, so a repeated request may call this again. */
  async launch(exec: Exec, startSandbox: () => Promise<void>): Promise<void> {
    if (exec.state !== 'queued') return;
    try {
      await startSandbox();
      await this.workflows.startExec(exec);
    } catch (error) {
      await this.withdraw(exec, error);
      return;
    }
    this.execs.markWorkflowStarted(exec.id).catch((error: unknown) => {
      this.log.warn({ execId: exec.id, err: error }, 'The sweep will verify the start of this run.');
    });
  }

  /** The row ends as `not_started` and the client is told so with its id, unless somebody else has taken it on. */
  private async withdraw(exec: Exec, cause: unknown): Promise<void> {
    let state: ExecState = 'queued';
    try {
      const ended = await this.execs.end(exec.id, ['queued'], notStartedEnd(failureFrom(cause)));
      if (!ended) return;
      state = 'not_started';
      this.wakes.wake(`exec:${exec.id}`);
    } catch (error) {
      this.log.error({ execId: exec.id, err: error }, 'The row of an exec without a run could not be ended.');
    }
    if (!isDomainError(cause)) throw cause;
    throw new DomainError(cause.code, cause.message, {
      cause,
      ...(cause.detail === undefined ? {} : { detail: cause.detail }),
      ...(cause.dependency === undefined ? {} : { dependency: cause.dependency }),
      ...(cause.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: cause.retryAfterSeconds }),
      extra: { ...cause.extra, execId: exec.id, execState: state },
    });
  }
}
