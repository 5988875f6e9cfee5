import type {
  ContainerEngine,
  Exec,
  ExecId,
  ExecStore,
  HostId,
  Log,
  SandboxStore,
  WakeSender,
  WorkflowSignaller,
} from '#domain';
import { whileAway } from '../patience.js';
import { ExecSupervision } from './exec-supervision.js';

export interface ExecSupervisorPorts {
  readonly execs: ExecStore;
  readonly sandboxes: SandboxStore;
  readonly engine: ContainerEngine;
  readonly wake: WakeSender;
  readonly signaller: WorkflowSignaller;
  readonly log: Log;
}

/**
 * The execs that this process supervises, at most one supervision each. A supervision belongs to the process and not to
 * the Activity that asked for it: a new attempt joins it, and a starting worker adopts what is live before anyone asks.
 */
export class ExecSupervisor {
  private readonly supervisions = new Map<ExecId, ExecSupervision>();
  private readonly detaching = new AbortController();

  constructor(
    private readonly ports: ExecSupervisorPorts,
    private readonly hostId: HostId,
  ) {}

  /** Joins the supervision of a claimed exec, or begins it. */
  join(exec: Exec): ExecSupervision {
    const present = this.supervisions.get(exec.id);
    if (present) return present;
    const supervision = new ExecSupervision(this.ports, exec, this.detaching.signal);
    this.supervisions.set(exec.id, supervision);
    void supervision.ended
      .catch((error: unknown) => {
        if (!this.detaching.signal.aborted) {
          this.ports.log.error(
            { err: error, execId: exec.id },
            'Supervision failed; its Activity tries again.',
          );
        }
      })
      .finally(() => this.supervisions.delete(exec.id));
    return supervision;
  }

  /** Resumes the supervision of every live exec of this host. Returns how many. */
  async adopt(): Promise<number> {
    const live = await whileAway('postgres', this.detaching.signal, () =>
      this.ports.execs.listLiveOnHost(this.hostId),
    );
    for (const exec of live) this.join(exec);
    return live.length;
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
