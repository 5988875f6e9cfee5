import {
  DomainError,
  isDomainError,
  limits,
  type ContainerEngine,
  type Log,
  type RunnerConnection,
  type SandboxId,
  type SandboxObservedState,
  type SandboxStore,
} from '#domain';

const RETRY_AFTER_SECONDS = 1;

export interface VisitPorts {
  readonly sandboxes: Pick<SandboxStore, 'get' | 'noteUse'>;
  readonly engine: Pick<ContainerEngine, 'connect'>;
  readonly log: Log;
}

/** Programs of ours that run in a sandbox for the length of one request, a bounded number of them beside its execs. */
export class ShortVisits {
  private readonly open = new Map<SandboxId, number>();
  private renewing: NodeJS.Timeout | undefined;

  constructor(
    private readonly ports: VisitPorts,
    private readonly perSandboxMax: number,
  ) {}

  /** One visit, over when its work is. */
  async during<Result>(
    sandboxId: SandboxId,
    work: (connection: RunnerConnection) => Promise<Result>,
  ): Promise<Result> {
    const leave = this.enter(sandboxId);
    try {
      const connection = await this.connect(sandboxId);
      try {
        return await work(connection);
      } finally {
        await connection.close();
      }
    } finally {
      leave();
    }
  }

  /** Counts until what it returns is called. */
  enter(sandboxId: SandboxId): () => void {
    const under = this.open.get(sandboxId) ?? 0;
    if (under >= this.perSandboxMax) {
      throw new DomainError('rate_limited', 'Too many of these at once in this sandbox.', {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    this.open.set(sandboxId, under + 1);
    this.renewing ??= setInterval(() => void this.renewUse(), limits.VISIT_USE_RENEW_MS).unref();
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      const left = (this.open.get(sandboxId) ?? 1) - 1;
      if (left === 0) this.open.delete(sandboxId);
      else this.open.set(sandboxId, left);
      if (this.open.size > 0) return;
      clearInterval(this.renewing);
      this.renewing = undefined;
    };
  }

  /** To a sandbox that runs; any other refuses at once. */
  async connect(sandboxId: SandboxId): Promise<RunnerConnection> {
    const { sandboxes } = this.ports;
    const { observedState, generation, idleStopSeconds } = await sandboxes.get(sandboxId);
    if (observedState !== 'running') throw notRunning(observedState);
    // Before anything begins: from then on nobody finds the sandbox idle.
    const mayBeIdle = idleStopSeconds !== null;
    if (mayBeIdle && (await sandboxes.noteUse([sandboxId], limits.VISIT_USE_MS)).length === 0) {
      throw notRunning('stopping');
    }
    return await this.ports.engine.connect({ sandboxId, generation });
  }

  /** Also for those that nobody wanted stopped as idle when the visit began. */
  private async renewUse(): Promise<void> {
    try {
      await this.ports.sandboxes.noteUse([...this.open.keys()], limits.VISIT_USE_MS);
    } catch (error) {
      this.ports.log.warn({ err: error }, 'That sandboxes are used was not noted.');
    }
  }

  /** Whatever runs of it is ended, and nothing of it is kept. */
  async end(connection: RunnerConnection, runId: string): Promise<void> {
    try {
      await connection.forget(runId);
    } catch (error) {
      if (!isDomainError(error, 'invalid_state')) throw error;
      await connection.cancel(runId, limits.EXEC_CANCEL_GRACE_MS);
      await connection.forget(runId);
    }
  }

  /** The result is known, or another error is on its way: what is left here is only space. */
  async endQuietly(connection: RunnerConnection, runId: string): Promise<void> {
    try {
      await this.end(connection, runId);
    } catch (error) {
      this.ports.log.debug({ err: error, runId }, 'A visit stays in the sandbox until its time is over.');
    }
  }
}

function notRunning(observedState: SandboxObservedState): DomainError {
  return new DomainError('invalid_state', `The sandbox is ${observedState}, not running.`, {
    extra: { observedState },
  });
}
