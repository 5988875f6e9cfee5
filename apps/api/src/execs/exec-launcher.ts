import { Inject, Injectable } from '@nestjs/common';
import {
  DomainError,
  EXEC_TRANSITIONS,
  failureFrom,
  isDomainError,
  isTerminal,
  notStartedEnd,
  type Exec,
  type ExecId,
  type ExecState,
  type ExecStore,
  type HostLink,
  type WorkflowStarter,
} from '#domain';
import type { Logger } from 'pino';
import { CONFIG, EXEC_STORE, HOST_LINK, LOGGER, WORKFLOWS, type ApiConfig } from '../tokens.js';

/** Most commands have ended by then, and their runs only have to say so. */
const FIRST_TASK_AFTER_MS = 500;
/** Noted together: well before the sweep looks for rows without a run. */
const NOTE_STARTED_AFTER_MS = 1_000;

/**
 * Row first, then Workflow and hint: starts the run of an exec whose row is committed, and tells its host. While Temporal
 * answers, the host hears of it at the same time. With `execWorkflow.afterMs` only an exec that is still live after that
 * time gets a run. If this process dies in between, the sweep starts what has none.
 */
@Injectable()
export class ExecLauncher {
  private started: ExecId[] = [];

  constructor(
    @Inject(CONFIG) private readonly config: ApiConfig,
    @Inject(EXEC_STORE) private readonly execs: ExecStore,
    @Inject(HOST_LINK) private readonly hosts: HostLink,
    @Inject(WORKFLOWS) private readonly workflows: WorkflowStarter,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /**
   * For a row that this request has made: where its run cannot be started it ends, and the client is told.
   * `startSandbox` is given where the exec has to wait for its sandbox.
   */
  async launch(exec: Exec, startSandbox?: () => Promise<void>): Promise<void> {
    try {
      await this.begin(exec, startSandbox);
    } catch (error) {
      await this.withdraw(exec, error);
    }
  }

  /**
   * For a repeated request. Starting a run that is there is starting it once; where it cannot be started now the row
   * stays as it is, as another answer may have acknowledged it, and the sweep starts what has no run.
   */
  async launchAgain(exec: Exec, startSandbox?: () => Promise<void>): Promise<void> {
    try {
      await this.begin(exec, startSandbox);
    } catch (error) {
      this.log.warn({ execId: exec.id, err: error }, 'The sweep will see to the run of this exec.');
    }
  }

  private async begin(exec: Exec, startSandbox?: () => Promise<void>): Promise<void> {
    if (exec.state !== 'queued') return;
    const { afterMs } = this.config.execWorkflow;
    if (afterMs > 0 && !startSandbox) {
      this.hosts.hint(exec.hostId, exec.id);
      setTimeout(() => void this.startIfLive(exec), afterMs).unref();
      return;
    }
    const hintsFirst = !startSandbox && this.workflows.isAnswering;
    if (hintsFirst) this.hosts.hint(exec.hostId, exec.id);
    await startSandbox?.();
    await this.workflows.startExec(exec, hintsFirst ? FIRST_TASK_AFTER_MS : 0);
    if (!hintsFirst) this.hosts.hint(exec.hostId, exec.id);
    this.noteStarted(exec);
  }

  private async startIfLive({ tenantId, id }: Exec): Promise<void> {
    try {
      const exec = await this.execs.find(tenantId, id);
      if (!exec || isTerminal(EXEC_TRANSITIONS, exec.state)) return;
      await this.workflows.startExec(exec);
      this.noteStarted(exec);
    } catch (error) {
      this.log.warn({ execId: id, err: error }, 'The sweep will start the run of this exec.');
    }
  }

  /** Not waited for by clients: a row without the note is looked at by the sweep, which finds its run. */
  private noteStarted(exec: Exec): void {
    this.started.push(exec.id);
    if (this.started.length === 1) setTimeout(() => void this.writeNotes(), NOTE_STARTED_AFTER_MS).unref();
  }

  private async writeNotes(): Promise<void> {
    const ids = this.started;
    this.started = [];
    try {
      await this.execs.markWorkflowsStarted(ids);
    } catch (error) {
      this.log.warn({ execs: ids.length, err: error }, 'The sweep will verify the starts of these runs.');
    }
  }

  /**
   * The row ends as `not_started` and the client is told so with its id. Where a host has taken the exec on already it
   * runs, and the sweep gives it its run.
   */
  private async withdraw(exec: Exec, cause: unknown): Promise<void> {
    try {
      const ended = await this.execs.end(exec.id, ['queued'], notStartedEnd(failureFrom(cause)));
      if (!ended) return;
    } catch (error) {
      this.log.error({ execId: exec.id, err: error }, 'The row of an exec without a run could not be ended.');
      throw told(cause, exec, 'queued');
    }
    throw told(cause, exec, 'not_started');
  }
}

function told(cause: unknown, exec: Exec, execState: ExecState): unknown {
  if (!isDomainError(cause)) return cause;
  const { detail, dependency, retryAfterSeconds } = cause;
  return new DomainError(cause.code, cause.message, {
    cause,
    ...(detail === undefined ? {} : { detail }),
    ...(dependency === undefined ? {} : { dependency }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    extra: { ...cause.extra, execId: exec.id, execState },
  });
}
