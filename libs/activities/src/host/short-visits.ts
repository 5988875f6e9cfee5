import {
  DomainError,
  isDomainError,
  limits,
  type ContainerEngine,
  type Log,
  type RunnerConnection,
  type SandboxId,
  type SandboxStore,
} from '#domain';

const RETRY_AFTER_SECONDS = 1;

export interface VisitPorts {
  readonly sandboxes: Pick<SandboxStore, 'get'>;
  readonly engine: Pick<ContainerEngine, 'connect'>;
  readonly log: Log;
}

/** Programs of ours that run in a sandbox for the length of one request, a bounded number of them beside its execs. */
export class ShortVisits {
  private readonly open = new Map<SandboxId, number>();

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
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      const left = (this.open.get(sandboxId) ?? 1) - 1;
      if (left === 0) this.open.delete(sandboxId);
      else this.open.set(sandboxId, left);
    };
  }

  /** To a sandbox that runs; any other refuses at once. */
  async connect(sandboxId: SandboxId): Promise<RunnerConnection> {
    const { observedState, generation } = await this.ports.sandboxes.get(sandboxId);
    if (observedState !== 'running') {
      throw new DomainError('invalid_state', `The sandbox is ${observedState}, not running.`, {
        extra: { observedState },
      });
    }
    return await this.ports.engine.connect({ sandboxId, generation });
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
