import { v5 as uuidv5 } from 'uuid';
import {
  DomainError,
  gitFailureOf,
  gitResultOf,
  limits,
  type CredentialStore,
  type GitProgress,
  type GitResult,
  type Operation,
  type OperationId,
  type RunnerConnection,
} from '#domain';
import { followGit, hasEndedBadly, startGit, type GitRequest, type GitSettings } from './git-program.js';

/** The name space of the ids of runs. Changing it would make a retried Activity begin beside what still runs. */
const NAMESPACE = 'a3c1f7be-20d9-4b55-b1c0-6c58c7a1e9f4';

export interface GitRunPorts {
  readonly credentials: Pick<CredentialStore, 'open'>;
  readonly settings: GitSettings;
}

/**
 * The runs of one step in a sandbox, one after the other and each under an id that follows from the step: an Activity that
 * is tried again joins the run that is under way, or finds its end, and begins another one only after one that has failed.
 */
export class GitRuns {
  constructor(
    private readonly ports: GitRunPorts,
    private readonly connection: RunnerConnection,
    private readonly operation: Operation,
    private readonly step: string,
  ) {}

  async take(
    request: GitRequest,
    signal: AbortSignal,
    heard: (progress: GitProgress) => void,
  ): Promise<GitResult> {
    for (let runNo = 1; runNo <= limits.GIT_RUNS_PER_STEP_MAX; runNo++) {
      const id = gitRunId(this.operation.id, this.step, runNo);
      const { state } = await this.connection.status(id);
      if (state === 'canceled' || state === 'forgotten' || state === 'lost') continue;
      if (state === 'unknown') await this.start(id, request, runNo > 1);
      try {
        const result = readable(await followGit(this.connection, id, signal, heard));
        // An end that was there before this attempt was told before, or its teller died: the step is tried anew.
        if (state !== 'finished' || gitFailureOf(result) === undefined) return result;
      } catch (error) {
        if (state !== 'finished' || !hasEndedBadly(error)) throw error;
      }
    }
    throw new DomainError('git_failed', 'This step has been tried too often.');
  }

  /** Ends what runs. What has ended stays until it is forgotten. */
  async cancel(): Promise<void> {
    for await (const { id, state } of this.known()) {
      if (state === 'running' || state === 'starting') {
        await this.connection.cancel(id, limits.EXEC_CANCEL_GRACE_MS);
      }
    }
  }

  /** The row has what they brought about, so their spools are not needed any more. */
  async forget(): Promise<void> {
    for await (const { id, state } of this.known()) {
      if (state === 'finished' || state === 'lost') await this.connection.forget(id);
    }
  }

  private async *known(): AsyncGenerator<{ readonly id: string; readonly state: string }> {
    for (let runNo = 1; runNo <= limits.GIT_RUNS_PER_STEP_MAX; runNo++) {
      const id = gitRunId(this.operation.id, this.step, runNo);
      const { state } = await this.connection.status(id);
      if (state === 'unknown') return;
      yield { id, state };
    }
  }

  private async start(id: string, request: GitRequest, repeated: boolean): Promise<void> {
    const { settings } = this.ports;
    const marked = { ...request, mark: this.operation.id, repeated };
    await startGit(this.connection, id, marked, settings, await this.credential(), limits.GIT_RUN_MS_MAX);
  }

  private async credential() {
    const { tenantId, ownerId, options } = this.operation;
    const id = options.git?.credentialId;
    if (id === undefined) return undefined;
    const credential = await this.ports.credentials.open(tenantId, ownerId, id);
    if (!credential) throw new DomainError('git_auth_failed', 'The credential is not there any more.');
    const { host, username, secret } = credential;
    return { host, username, secret };
  }
}

function readable(value: unknown): GitResult {
  const result = gitResultOf(value);
  if (!result) throw new DomainError('runner_protocol', 'The sandbox gave a result that is not understood.');
  return result;
}

/** The same for the same run, whoever asks. */
export function gitRunId(operation: OperationId, step: string, runNo: number): string {
  return uuidv5(`${operation}/${step}/${runNo}`, NAMESPACE);
}
