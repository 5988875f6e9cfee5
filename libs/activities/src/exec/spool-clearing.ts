import {
  EXEC_TRANSITIONS,
  execId,
  isDomainError,
  isTerminal,
  limits,
  parseUploadId,
  type ContainerEngine,
  type Exec,
  type ExecStore,
  type HostId,
  type Log,
  type RunnerConnection,
  type RunnerExecStatus,
  type SandboxId,
  type SandboxStore,
} from '#domain';

/** Longer than anybody who began a visit may still want to know how it ended. */
const VISIT_LEFT_AFTER_MS = 10 * 60_000;

export interface SpoolClearingPorts {
  readonly execs: Pick<ExecStore, 'get'>;
  readonly sandboxes: Pick<SandboxStore, 'get' | 'listOnHost'>;
  readonly engine: Pick<ContainerEngine, 'connect'>;
  readonly log: Log;
}

/**
 * Clears away what ended execs have left in the sandboxes of a host: the spool of one that was lost, that was read past
 * a dead container, or whose worker died before it could say that it needs no more; and the command of one that was given
 * up and ran on; and the runs without a row, of files and looks, whose worker died. It never touches an exec whose row is
 * live: its spool may hold the only copy of its output.
 */
export class SpoolClearing {
  private readonly left = new Set<SandboxId>();

  constructor(private readonly ports: SpoolClearingPorts) {}

  /** Something has stayed behind in this sandbox. */
  note(sandboxId: SandboxId): void {
    this.left.add(sandboxId);
  }

  /** An earlier process may have left something anywhere. One sandbox after the other, as nobody waits for it. */
  async clearAll(hostId: HostId): Promise<void> {
    try {
      for (const { id } of await this.ports.sandboxes.listOnHost(hostId)) {
        this.note(id);
        await this.clear(id);
      }
    } catch (error) {
      this.ports.log.warn({ err: error }, 'Not every sandbox was looked at for spools of ended execs.');
    }
  }

  /** Only where something was noted, and where the sandbox runs; otherwise the next call does it. */
  async clear(sandboxId: SandboxId): Promise<void> {
    if (!this.left.delete(sandboxId)) return;
    try {
      const { observedState, generation } = await this.ports.sandboxes.get(sandboxId);
      if (observedState !== 'running') {
        this.left.add(sandboxId);
        return;
      }
      const connection = await this.ports.engine.connect({ sandboxId, generation });
      for (const status of await connection.list()) await this.clearOne(connection, status);
    } catch (error) {
      this.left.add(sandboxId);
      this.ports.log.debug({ err: error, sandboxId }, 'Spools of ended execs stay for now.');
    }
  }

  private async clearOne(connection: RunnerConnection, status: RunnerExecStatus): Promise<void> {
    const { execId: id, state } = status;
    const exec = await this.find(id);
    if (exec === undefined && isLeftVisit(status, Date.now())) await connection.forget(id);
    if (exec === undefined || !isTerminal(EXEC_TRANSITIONS, exec.state)) return;
    if (state === 'running' || state === 'starting') {
      this.ports.log.warn({ execId: id, state: exec.state }, 'The command of an ended exec still ran.');
      await connection.cancel(id, limits.EXEC_CANCEL_GRACE_MS);
    }
    await connection.forget(id);
  }

  private async find(id: string): Promise<Exec | undefined> {
    try {
      return await this.ports.execs.get(execId(id));
    } catch (error) {
      if (isDomainError(error, 'not_found')) return undefined;
      throw error;
    }
  }
}

/** Runs of one request have random ids; those of operations, which are looked for again, have not. */
function isLeftVisit({ execId: id, state, exitRecord }: RunnerExecStatus, now: number): boolean {
  if (parseUploadId(id) === undefined) return false;
  if (state === 'lost') return true;
  const endedAt = Date.parse(exitRecord?.finishedAt ?? '');
  return state === 'finished' && now - endedAt > VISIT_LEFT_AFTER_MS;
}
