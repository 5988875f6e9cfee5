import {
  canceledBeforeStartEnd,
  DomainError,
  endFromExitRecord,
  EXEC_TRANSITIONS,
  isAway,
  isDomainError,
  isTerminal,
  limits,
  lostEnd,
  notStartedEnd,
  oomKilledEnd,
  type ContainerView,
  type Exec,
  type ExecEnd,
  type ExecEvidence,
  type ExitRecord,
  type FollowEvent,
  type RunnerConnection,
} from '#domain';
import { Backoff, whileAway } from '../patience.js';
import { chunkFrom, progressAfter, type Progress } from './chunk.js';
import { coalesce } from './coalesce.js';
import { CommittedWatchers } from './committed-watchers.js';
import { containerOf, reach, SuspendedError, type Reached } from './reach.js';
import { startRequestOf } from './start-request.js';
import type { ExecSupervisorPorts } from './supervisor-ports.js';

/** On its way from a runner into the database, output lies in that many buffers one after the other. */
const BUFFERED_TIMES = 4;

/** Docker speaks on the same stream as the runner, and what it says when it breaks is no message. */
const BREACHES_MAX = 4;

/** A command that ends or speaks sooner needs no statement of its own to say that it runs. */
const NOTE_RUNNING_AFTER_MS = 50;

/** The row moved under this writer: somebody else appended, or the exec has ended. */
class FencedError extends Error {
  override readonly name = 'FencedError';
}

/**
 * Follows one claimed exec to its end: reaches its runner, starts the command if that is still to be done, commits the
 * output piece by piece, and ends the row with what the exit record proves. It goes on through every loss of runner,
 * engine and database, because the spool in the sandbox keeps what is not committed.
 */
export class ExecSupervision {
  /** Resolves when the row has ended, whoever ended it; rejects when this process detaches. */
  readonly ended: Promise<void>;
  /** Until the runner has confirmed that it has deleted the spool. */
  spoolIsLeft = true;
  readonly watchers = new CommittedWatchers();
  private committed = 0;
  private breaches = { at: 0, count: 0 };
  private noteRunning: NodeJS.Timeout | undefined;
  private noting: Promise<void> = Promise.resolve();

  constructor(
    private readonly ports: ExecSupervisorPorts,
    private readonly exec: Exec,
    private readonly detached: AbortSignal,
  ) {
    this.ended = this.run().finally(() => this.watchers.close());
  }

  /** The committed position, for heartbeats. */
  get position(): number {
    return this.committed;
  }

  private async run(): Promise<void> {
    const backoff = new Backoff();
    const silence = new Silence();
    // The row as it was claimed a moment ago; every write is fenced, so a change since then is noticed.
    let exec = this.exec;
    for (;;) {
      if (isTerminal(EXEC_TRANSITIONS, exec.state)) return;
      this.committed = exec.committedPosition;
      try {
        const reached = await reach(this.ports.engine, this.ports.sandboxes, exec);
        silence.broken();
        if (await this.followOnce(exec, reached)) return;
        backoff.reset();
        await backoff.pause(this.detached);
      } catch (error) {
        this.detached.throwIfAborted();
        const end = this.endAfter(error, exec, silence);
        if (end && (await this.end(exec, end))) return;
        await backoff.pause(this.detached);
      }
      exec = await this.database(() => this.ports.execs.get(this.exec.id));
    }
  }

  /** True when the row has ended. Throws what broke the connection. */
  private async followOnce(exec: Exec, reached: Reached): Promise<boolean> {
    const { connection } = reached;
    try {
      if (exec.state === 'starting') {
        const end = reached.live ? await this.start(exec, connection) : await neverClaimed(exec, connection);
        if (end) return await this.end(exec, end);
      }
      return await this.follow(exec, reached);
    } finally {
      if (!reached.live) await connection.close();
    }
  }

  /** Asks the runner to start the command, which it does at most once. Returns an end where there will be no run. */
  private async start(exec: Exec, connection: RunnerConnection): Promise<ExecEnd | undefined> {
    const request = await this.database(() => startRequestOf(exec, this.ports.execs));
    const { state } = await connection.start(request);
    if (state === 'canceled') return canceledBeforeStartEnd();
    if (state === 'forgotten') {
      return lostEnd(evidence(exec, { runner: 'forgotten', note: 'The runner no longer has its output.' }));
    }
    this.noteRunning = setTimeout(() => {
      this.noting = this.markRunning();
    }, NOTE_RUNNING_AFTER_MS);
    return undefined;
  }

  /** Beside the follow: output need not wait for it, it changes nothing after an end, and the first output says the same. */
  private async markRunning(): Promise<void> {
    try {
      await this.database(() => this.ports.execs.markRunning(this.exec.id));
    } catch (error) {
      if (this.detached.aborted) return;
      this.ports.log.warn({ err: error, execId: this.exec.id }, 'It is not noted that an exec runs.');
    }
  }

  /** The runner frees its spool sooner or later; a channel that broke is noticed by the follow. */
  private tellCommitted(connection: RunnerConnection, position: number): void {
    connection.commit(this.exec.id, position).catch((error: unknown) => {
      this.ports.log.debug({ err: error, execId: this.exec.id }, 'A commit did not reach the runner.');
    });
  }

  private async follow(exec: Exec, { connection, live }: Reached): Promise<boolean> {
    let progress: Progress = {
      position: exec.committedPosition,
      stdoutBytes: exec.stdoutBytes,
      stderrBytes: exec.stderrBytes,
    };
    const source = connection.follow(exec.id, progress.position, this.detached);
    for await (const event of coalesce(source, limits.CHUNK_BYTES_MAX)) {
      if (event.kind === 'frames') {
        progress = await this.commit(progress, event.position, event.bytes);
        if (live) this.tellCommitted(connection, progress.position);
      } else if (event.kind === 'end') {
        refuseOtherOutput(event.exitRecord, progress);
        const ended = await this.end(exec, endFromExitRecord(event.exitRecord));
        if (ended && live) await this.forget(connection);
        return ended;
      } else {
        return await this.end(exec, lostUnder(await this.ports.engine.inspect(containerOf(exec)), event));
      }
    }
    throw new DomainError('runner_unreachable', 'The runner stopped without saying how the exec ended.');
  }

  private async commit(progress: Progress, position: number, frames: Uint8Array): Promise<Progress> {
    clearTimeout(this.noteRunning);
    const chunk = chunkFrom(progress, position, frames);
    const appended = await this.database(() => this.ports.execs.append(this.exec.id, chunk));
    if (!appended) {
      // An append whose answer was lost is seen here as a position that has moved exactly as it would have.
      const row = await this.database(() => this.ports.execs.get(this.exec.id));
      if (row.committedPosition !== chunk.endPosition) throw new FencedError('Another writer was first.');
    }
    this.committed = chunk.endPosition;
    this.watchers.tell(chunk);
    this.ports.buffers.passed(frames.byteLength * BUFFERED_TIMES);
    return progressAfter(chunk);
  }

  /** True when the row has ended, by this call or another. */
  private async end(exec: Exec, end: ExecEnd): Promise<boolean> {
    clearTimeout(this.noteRunning);
    await this.noting;
    if (await this.database(() => this.ports.execs.end(exec.id, ['starting', 'running'], end))) {
      const { state, exitCode } = end;
      this.ports.log.info({ execId: exec.id, state, exitCode }, 'The exec has ended.');
      return true;
    }
    const row = await this.database(() => this.ports.execs.get(exec.id));
    return isTerminal(EXEC_TRANSITIONS, row.state);
  }

  /** The row has all of it. A spool that stays behind because this fails is cleared away later. */
  private async forget(connection: RunnerConnection): Promise<void> {
    try {
      await connection.forget(this.exec.id);
      this.spoolIsLeft = false;
    } catch (error) {
      this.ports.log.warn({ err: error, execId: this.exec.id }, 'The spool of an ended exec stays for now.');
    }
  }

  /** An end where going on is pointless; undefined to try again. */
  private endAfter(error: unknown, exec: Exec, silence: Silence): ExecEnd | undefined {
    if (error instanceof FencedError || error instanceof SuspendedError) return undefined;
    this.ports.log.warn({ err: error, execId: exec.id }, 'Following an exec was interrupted.');
    // What the row has and what the spool has left do not fit together: after a power cut, or by root in the sandbox.
    const isSpoiled = isDomainError(error, 'spool_corrupt') || isDomainError(error, 'position_invalid');
    if (isSpoiled || (isDomainError(error, 'runner_protocol') && this.breaks())) {
      return lostEnd(evidence(exec, { runner: error.code, note: error.message }));
    }
    if (isAway(error)) return undefined;
    if (exec.state === 'starting' && isRefusal(error)) {
      return notStartedEnd({ code: 'bad_request', message: error.message });
    }
    if (!silence.tooLong()) return undefined;
    return lostEnd(evidence(exec, { runner: 'silent', note: 'The runner of the sandbox does not answer.' }));
  }

  /** True where the protocol was broken again and again without a byte in between: once, it may have been the engine. */
  private breaks(): boolean {
    this.breaches = this.breaches.at === this.committed ? this.breaches : { at: this.committed, count: 0 };
    this.breaches.count += 1;
    return this.breaches.count >= BREACHES_MAX;
  }

  private async database<T>(work: () => Promise<T>): Promise<T> {
    return await whileAway('postgres', this.detached, work);
  }
}

/** How long nothing has been heard, counted only while the engine says that there is something to hear. */
class Silence {
  private since: number | undefined;

  broken(): void {
    this.since = undefined;
  }

  tooLong(): boolean {
    this.since ??= performance.now();
    return performance.now() - this.since > limits.RUNNER_SILENCE_MS_MAX;
  }
}

/** The runner would not take the request, so it has claimed nothing and nothing has run. */
function isRefusal(error: unknown): error is DomainError {
  return isDomainError(error, 'bad_request') || isDomainError(error, 'payload_too_large');
}

/** In a dead sandbox an exec that was never claimed there has not run and will not. */
async function neverClaimed(exec: Exec, connection: RunnerConnection): Promise<ExecEnd | undefined> {
  const status = await connection.status(exec.id);
  if (status.state === 'canceled') return canceledBeforeStartEnd();
  if (status.state !== 'unknown') return undefined;
  return notStartedEnd({
    code: 'container_missing',
    message: 'The sandbox stopped before the command was started.',
  });
}

/** A record of other output than came before it proves nothing about this exec. */
function refuseOtherOutput({ endPosition }: ExitRecord, { position }: Progress): void {
  if (endPosition === position) return;
  throw new DomainError(
    'spool_corrupt',
    `The output ends at ${position}, and by its record at ${endPosition}.`,
  );
}

type LostEvent = Extract<FollowEvent, { kind: 'lost' }>;

/** What is known when the exec's own supervisor left no record: where its output ends and how its container ended. */
function lostUnder(container: ContainerView, event: LostEvent): ExecEnd {
  const { state, exitCode, oomKilled } = container;
  const known = {
    lastPosition: event.endPosition,
    container: exitCode === null ? state : `${state} with code ${exitCode}`,
    runner: event.reason,
  };
  if (oomKilled) return oomKilledEnd({ ...known, note: 'The sandbox ran out of memory.' });
  return lostEnd({ ...known, note: `The command may have run; its end is not known (${event.reason}).` });
}

function evidence(exec: Exec, known: { runner: string; note: string }): ExecEvidence {
  return { lastPosition: exec.committedPosition, container: null, ...known };
}
