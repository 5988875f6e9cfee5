import { Inject, Injectable } from '@nestjs/common';
import {
  DomainError,
  EXEC_TRANSITIONS,
  failureFrom,
  isDomainError,
  isTerminal,
  notStartedEnd,
  type Exec,
  type ExecState,
  type ExecStore,
  type HostLink,
  type WakeSender,
  type WorkflowStarter,
} from '#domain';
import type { Logger } from 'pino';
import { CONFIG, EXEC_STORE, HOST_LINK, LOGGER, WAKE_SENDER, WORKFLOWS, type ApiConfig } from '../tokens.js';

/**
 * Row first, then Workflow, then the hint: starts the run of an exec whose row is committed, and tells its host. With
 * `execWorkflow.afterMs` the host is told at once and only an exec that is still live after that time gets a run; if this
 * process dies before, the sweep starts it.
 */
@Injectable()
export class ExecLauncher {
  constructor(
    @Inject(CONFIG) private readonly config: ApiConfig,
    @Inject(EXEC_STORE) private readonly execs: ExecStore,
    @Inject(HOST_LINK) private readonly hosts: HostLink,
    @Inject(WORKFLOWS) private readonly workflows: WorkflowStarter,
    @Inject(WAKE_SENDER) private readonly wakes: WakeSender,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /**
   * `startSandbox` is given where the exec has to wait for its sandbox. Starting a run that is there is starting it once,
   * so a repeated request may call this again.
   */
  async launch(exec: Exec, startSandbox?: () => Promise<void>): Promise<void> {
    if (exec.state !== 'queued') return;
    const { afterMs } = this.config.execWorkflow;
    if (afterMs > 0 && !startSandbox) {
      this.hosts.hint(exec.hostId, exec.id);
      setTimeout(() => void this.startIfLive(exec), afterMs).unref();
      return;
    }
    try {
      await startSandbox?.();
      await this.workflows.startExec(exec);
    } catch (error) {
      await this.withdraw(exec, error);
      return;
    }
    this.hosts.hint(exec.hostId, exec.id);
    this.markStarted(exec);
  }

  private async startIfLive({ tenantId, id }: Exec): Promise<void> {
    try {
      const exec = await this.execs.find(tenantId, id);
      if (!exec || isTerminal(EXEC_TRANSITIONS, exec.state)) return;
      await this.workflows.startExec(exec);
      this.markStarted(exec);
    } catch (error) {
      this.log.warn({ execId: id, err: error }, 'The sweep will start the run of this exec.');
    }
  }

  /** Not waited for by clients: a row that is not marked is looked at by the sweep, which finds its run. */
  private markStarted(exec: Exec): void {
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
