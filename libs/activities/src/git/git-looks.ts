import { randomUUID } from 'node:crypto';
import { DomainError, gitFailureOf, gitResultOf, limits, type SandboxId } from '#domain';
import { ShortVisits, type VisitPorts } from '../host/short-visits.js';
import { followGit, startGit, type GitRequest, type GitSettings } from './git-program.js';

const LOOKS_PER_SANDBOX_MAX = 4;

/** What is answered at once about a repository, without an operation: no remote is asked for it. */
export class GitLooks {
  private readonly visits: ShortVisits;
  private readonly withoutRemote: GitSettings;

  constructor(ports: VisitPorts, { bytesMax }: Pick<GitSettings, 'bytesMax'>) {
    this.visits = new ShortVisits(ports, LOOKS_PER_SANDBOX_MAX);
    this.withoutRemote = { allowedNetworks: [], certificates: '', bytesMax };
  }

  /** The result of the program as it came from the sandbox; throws what it says did not come about. */
  async look(sandboxId: SandboxId, request: GitRequest): Promise<object> {
    return await this.visits.during(sandboxId, async (connection) => {
      const id = randomUUID();
      try {
        await startGit(connection, id, request, this.withoutRemote, undefined, limits.GIT_LOOK_MS_MAX);
        return seen(await followGit(connection, id, new AbortController().signal, () => undefined));
      } finally {
        await this.visits.endQuietly(connection, id);
      }
    });
  }
}

function seen(value: unknown): object {
  const result = gitResultOf(value);
  if (!result) throw new DomainError('runner_protocol', 'The sandbox gave a result that is not understood.');
  const failure = gitFailureOf(result);
  if (failure) throw failure;
  return value as object;
}
