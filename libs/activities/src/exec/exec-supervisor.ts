import type { CommittedWatcher, Exec, ExecId, HostId, SandboxId } from '#domain';
import { whileAway } from '../patience.js';
import { ExecSupervision } from './exec-supervision.js';
import { SpoolClearing } from './spool-clearing.js';
import type { ExecSupervisorPorts } from './supervisor-ports.js';

/** More than the queues of a host can hold; one that was crowded out is woken late, by its own look. */
const WAITING_NOTED_MAX = 10_000;

/**
 * The execs that this process supervises, at most one supervision each. A supervision belongs to the process and not to
 * the Activity that asked for it: a new attempt joins it, and a starting worker adopts what is live before anyone asks.
 */
export class ExecSupervisor {
  private readonly supervisions = new Map<ExecId, ExecSupervision>();
  /** Their Workflows wait for a signal. */
  private readonly waiting = new Set<ExecId>();
  private readonly detaching = new AbortController();
  private readonly spools: SpoolClearing;

  constructor(
    private readonly ports: ExecSupervisorPorts,
    private readonly hostId: HostId,
  ) {
    this.spools = new SpoolClearing(ports);
  }

  /** Joins the supervision of a claimed exec, or begins it. */
  join(exec: Exec): ExecSupervision {
    const present = this.supervisions.get(exec.id);
    if (present) return present;
    const supervision = new ExecSupervision(this.ports, exec, this.detaching.signal);
    this.supervisions.set(exec.id, supervision);
    void this.whenOver(exec, supervision);
    return supervision;
  }

  /**
   * Claims these execs if it is their turn, and supervises what is claimed: the same as their Activities would do, only
   * sooner. Whoever comes first starts a command; nothing depends on this call.
   */
  async hurry(ids: readonly ExecId[]): Promise<void> {
    for (const id of ids) {
      try {
        const claim = await this.ports.execs.claim(id, this.hostId);
        if (claim.kind === 'claimed' || claim.kind === 'live') this.join(claim.exec);
      } catch (error) {
        this.ports.log.debug(
          { err: error, execId: id },
          'A hint came to nothing; its Activity does the work.',
        );
      }
    }
  }

  /** Its Workflow was told to wait for its turn, and is to be woken when that has come. */
  noteWaiting(id: ExecId): void {
    this.waiting.add(id);
    if (this.waiting.size <= WAITING_NOTED_MAX) return;
    const [oldest] = this.waiting;
    if (oldest) this.waiting.delete(oldest);
  }

  /** Lets the next of a sandbox's queue go on, and tells the Workflows that wait, which look by themselves if this fails. */
  async continueQueue(sandboxId: SandboxId): Promise<void> {
    try {
      const ids = await this.ports.execs.listStartable(sandboxId);
      await this.hurry(ids);
      for (const id of ids) if (this.waiting.delete(id)) await this.ports.signaller.wakeExec(id);
    } catch (error) {
      this.ports.log.warn({ err: error, sandboxId }, 'The queue of a sandbox was not continued.');
    }
    void this.spools.clear(sandboxId);
  }

  private async whenOver(exec: Exec, supervision: ExecSupervision): Promise<void> {
    try {
      await supervision.ended;
    } catch (error) {
      if (this.detaching.signal.aborted) return;
      this.ports.log.error({ err: error, execId: exec.id }, 'Supervision failed; its Activity tries again.');
    } finally {
      this.supervisions.delete(exec.id);
    }
    if (supervision.spoolIsLeft) this.spools.note(exec.sandboxId);
    await this.continueQueue(exec.sandboxId);
  }

  /** Resumes the supervision of every live exec of this host. Returns how many. */
  async adopt(): Promise<number> {
    const live = await whileAway('postgres', this.detaching.signal, () =>
      this.ports.execs.listLiveOnHost(this.hostId),
    );
    for (const exec of live) this.join(exec);
    void this.spools.clearAll(this.hostId);
    return live.length;
  }

  /** Undefined for an exec that this process does not supervise. */
  watchCommitted(id: ExecId, watcher: CommittedWatcher): (() => void) | undefined {
    return this.supervisions.get(id)?.watchers.add(watcher);
  }

  get count(): number {
    return this.supervisions.size;
  }

  /** Stops following without touching the commands: they go on, and the next worker reads on from the committed position. */
  async detachAll(): Promise<void> {
    this.detaching.abort(new Error('The worker is shutting down.'));
    await Promise.allSettled([...this.supervisions.values()].map((supervision) => supervision.ended));
  }
}
