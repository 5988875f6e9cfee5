import { randomUUID } from 'node:crypto';
import {
  DomainError,
  gitFailureOf,
  gitResultOf,
  limits,
  type ContainerEngine,
  type Log,
  type RunnerConnection,
  type SandboxId,
  type SandboxStore,
} from '#domain';
import { followGit, startGit, type GitRequest } from './git-program.js';

/** Each is a process in the sandbox, beside its execs. */
const LOOKS_PER_SANDBOX_MAX = 4;
const RETRY_AFTER_SECONDS = 1;
const WITHOUT_REMOTE = { allowedNetworks: [], certificates: '' };

export interface GitLookPorts {
  readonly sandboxes: Pick<SandboxStore, 'get'>;
  readonly engine: Pick<ContainerEngine, 'connect'>;
  readonly log: Log;
}

/** What is answered at once about a repository, without an operation: no remote is asked for it. */
export class GitLooks {
  private readonly looking = new Map<SandboxId, number>();

  constructor(private readonly ports: GitLookPorts) {}

  /** The result of the program as it came from the sandbox; throws what it says did not come about. */
  async look(sandboxId: SandboxId, request: GitRequest): Promise<object> {
    const under = this.looking.get(sandboxId) ?? 0;
    if (under >= LOOKS_PER_SANDBOX_MAX) {
      throw new DomainError('rate_limited', 'Too many of these at once in this sandbox.', {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    this.looking.set(sandboxId, under + 1);
    try {
      return await this.lookInside(sandboxId, request);
    } finally {
      const left = (this.looking.get(sandboxId) ?? 1) - 1;
      if (left === 0) this.looking.delete(sandboxId);
      else this.looking.set(sandboxId, left);
    }
  }

  private async lookInside(sandboxId: SandboxId, request: GitRequest): Promise<object> {
    const { observedState, generation } = await this.ports.sandboxes.get(sandboxId);
    if (observedState !== 'running') {
      throw new DomainError('invalid_state', `The sandbox is ${observedState}, not running.`, {
        extra: { observedState },
      });
    }
    const connection = await this.ports.engine.connect({ sandboxId, generation });
    const id = randomUUID();
    try {
      await startGit(connection, id, request, WITHOUT_REMOTE, undefined, limits.GIT_LOOK_MS_MAX);
      const value = await followGit(connection, id, new AbortController().signal, () => undefined);
      return seen(value);
    } finally {
      await this.forget(connection, id);
    }
  }

  private async forget(connection: RunnerConnection, id: string): Promise<void> {
    try {
      await connection.forget(id);
    } catch (error) {
      this.ports.log.debug({ err: error, runId: id }, 'The spool of a look stays in the sandbox.');
    } finally {
      await connection.close();
    }
  }
}

function seen(value: unknown): object {
  const result = gitResultOf(value);
  if (!result) throw new DomainError('runner_protocol', 'The sandbox gave a result that is not understood.');
  const failure = gitFailureOf(result);
  if (failure) throw failure;
  return value as object;
}
