import {
  DomainError,
  type CancelResult,
  type FollowEvent,
  type InputPiece,
  type InputResult,
  type Resize,
  type ResizeState,
  type RunnerConnection,
  type RunnerExecStatus,
  type SendableSignal,
  type StartRequest,
  type StartResult,
} from '#domain';

/** Identifies what a channel leads to, for example one generation of one sandbox. */
export type ChannelKey = string;

/**
 * At most one channel per key, shared by everybody who asks. Callers that come while it is being opened wait for the same
 * one; a channel that has ended is replaced at the next request; one without an open call is closed after a while.
 */
export class ChannelPool {
  private readonly slots = new Map<ChannelKey, Promise<Slot>>();
  private isClosed = false;

  constructor(private readonly idleMs: number) {}

  /** A connection of the caller's own over the shared channel: closing it leaves the channel to the others. */
  async lease(key: ChannelKey, open: () => Promise<RunnerConnection>): Promise<RunnerConnection> {
    if (this.isClosed) throw unreachable('This process no longer opens channels.');
    let slot = this.slots.get(key);
    if (slot === undefined) {
      slot = this.open(key, open);
      this.slots.set(key, slot);
    }
    return new LeasedConnection(await slot);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const slots = [...this.slots.values()];
    this.slots.clear();
    // One that fails to open has nothing to close, and its callers have heard of it.
    await Promise.allSettled(slots.map(async (slot) => (await slot).close()));
  }

  /** Not async: the promise that is returned must be the one that the map holds, so that it is found again. */
  private open(key: ChannelKey, open: () => Promise<RunnerConnection>): Promise<Slot> {
    const drop = (): void => {
      if (this.slots.get(key) === opening) this.slots.delete(key);
    };
    const opening: Promise<Slot> = open().then((channel) => new Slot(channel, this.idleMs, drop));
    opening.catch(drop);
    return opening;
  }
}

/** One open channel and how many calls are open on it. */
class Slot {
  private calls = 0;
  private idle: NodeJS.Timeout | undefined;

  constructor(
    readonly channel: RunnerConnection,
    private readonly idleMs: number,
    private readonly drop: () => void,
  ) {
    void channel.closed.then(() => {
      clearTimeout(this.idle);
      this.drop();
    });
    this.waitIdle();
  }

  enter(): void {
    this.calls += 1;
    clearTimeout(this.idle);
  }

  leave(): void {
    this.calls -= 1;
    if (this.calls === 0) this.waitIdle();
  }

  async close(): Promise<void> {
    clearTimeout(this.idle);
    this.drop();
    await this.channel.close();
  }

  private waitIdle(): void {
    clearTimeout(this.idle);
    this.idle = setTimeout(() => void this.close(), this.idleMs);
    this.idle.unref();
  }
}

class LeasedConnection implements RunnerConnection {
  readonly closed: Promise<Error | undefined>;
  private release: () => void = () => undefined;
  private isReleased = false;

  constructor(private readonly slot: Slot) {
    const released = new Promise<undefined>((resolve) => {
      this.release = () => resolve(undefined);
    });
    this.closed = Promise.race([released, slot.channel.closed]);
  }

  start(request: StartRequest): Promise<StartResult> {
    return this.during((channel) => channel.start(request));
  }

  status(execId: string): Promise<RunnerExecStatus> {
    return this.during((channel) => channel.status(execId));
  }

  list(): Promise<RunnerExecStatus[]> {
    return this.during((channel) => channel.list());
  }

  commit(execId: string, position: number): Promise<void> {
    return this.during((channel) => channel.commit(execId, position));
  }

  cancel(execId: string, graceMs: number): Promise<CancelResult> {
    return this.during((channel) => channel.cancel(execId, graceMs));
  }

  endForStop(execId: string, graceMs: number): Promise<CancelResult> {
    return this.during((channel) => channel.endForStop(execId, graceMs));
  }

  writeStdin(execId: string, piece: InputPiece): Promise<InputResult> {
    return this.during((channel) => channel.writeStdin(execId, piece));
  }

  signal(execId: string, signal: SendableSignal): Promise<number> {
    return this.during((channel) => channel.signal(execId, signal));
  }

  resize(execId: string, resize: Resize): Promise<ResizeState> {
    return this.during((channel) => channel.resize(execId, resize));
  }

  forget(execId: string): Promise<void> {
    return this.during((channel) => channel.forget(execId));
  }

  async *follow(execId: string, fromPosition: number, signal: AbortSignal): AsyncGenerator<FollowEvent> {
    const channel = this.enter();
    try {
      yield* channel.follow(execId, fromPosition, signal);
    } finally {
      this.slot.leave();
    }
  }

  close(): Promise<void> {
    this.isReleased = true;
    this.release();
    return Promise.resolve();
  }

  private async during<Result>(call: (channel: RunnerConnection) => Promise<Result>): Promise<Result> {
    const channel = this.enter();
    try {
      return await call(channel);
    } finally {
      this.slot.leave();
    }
  }

  private enter(): RunnerConnection {
    if (this.isReleased) throw unreachable('This connection has been closed by its holder.');
    this.slot.enter();
    return this.slot.channel;
  }
}

function unreachable(message: string): DomainError {
  return new DomainError('runner_unreachable', message);
}
