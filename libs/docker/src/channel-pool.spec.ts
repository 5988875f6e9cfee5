import { jest } from '@jest/globals';
import type { FollowEvent, RunnerConnection } from '#domain';
import { ChannelPool } from './channel-pool.js';

const IDLE_MS = 1_000;

/** A channel that answers at once, follows until it is told, and remembers what became of it. */
class FakeChannel {
  isClosed = false;
  private settle: (reason: Error | undefined) => void = () => undefined;
  readonly closed = new Promise<Error | undefined>((resolve) => (this.settle = resolve));
  private release: () => void = () => undefined;
  private readonly released = new Promise<void>((resolve) => (this.release = resolve));

  get connection(): RunnerConnection {
    return {
      closed: this.closed,
      list: () => Promise.resolve([]),
      follow: () => this.follow(),
      close: () => this.end(undefined),
    } as unknown as RunnerConnection;
  }

  end(reason: Error | undefined): Promise<void> {
    this.isClosed = true;
    this.settle(reason);
    return Promise.resolve();
  }

  endFollow(): void {
    this.release();
  }

  private async *follow(): AsyncGenerator<FollowEvent> {
    await this.released;
    yield { kind: 'lost', endPosition: 0, reason: 'supervisor_died' };
  }
}

describe('the pool of channels', () => {
  let opened: FakeChannel[];
  let pool: ChannelPool;
  const open = (): Promise<RunnerConnection> => {
    const channel = new FakeChannel();
    opened.push(channel);
    return Promise.resolve(channel.connection);
  };

  beforeEach(() => {
    jest.useFakeTimers();
    opened = [];
    pool = new ChannelPool(IDLE_MS);
  });
  afterEach(() => jest.useRealTimers());

  it('opens one channel for all who ask for the same, at once or later', async () => {
    await Promise.all([pool.lease('a', open), pool.lease('a', open)]);
    await pool.lease('a', open);
    await pool.lease('b', open);
    expect(opened).toHaveLength(2);
  });

  it('tells everybody who waits that opening failed, and tries again for the next', async () => {
    const fail = (): Promise<RunnerConnection> => Promise.reject(new Error('refused'));
    const both = await Promise.allSettled([pool.lease('a', fail), pool.lease('a', fail)]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await pool.lease('a', open);
    expect(opened).toHaveLength(1);
  });

  it('replaces a channel that has ended', async () => {
    const first = await pool.lease('a', open);
    await opened[0]!.end(new Error('cut'));
    expect(await first.closed).toBeInstanceOf(Error);
    await pool.lease('a', open);
    expect(opened).toHaveLength(2);
  });

  it('keeps a channel for the others when one holder closes its connection', async () => {
    const [one, other] = await Promise.all([pool.lease('a', open), pool.lease('a', open)]);
    await one.close();
    expect(await one.closed).toBeUndefined();
    await expect(one.list()).rejects.toMatchObject({ code: 'runner_unreachable' });
    expect(await other.list()).toEqual([]);
    expect(opened[0]!.isClosed).toBe(false);
  });

  it('closes a channel that nobody uses, and none while a follow is open', async () => {
    const connection = await pool.lease('a', open);
    const events = connection.follow('x', 0, new AbortController().signal)[Symbol.asyncIterator]();
    const event = events.next();
    await jest.advanceTimersByTimeAsync(10 * IDLE_MS);
    expect(opened[0]!.isClosed).toBe(false);
    opened[0]!.endFollow();
    await event;
    await events.next();
    await jest.advanceTimersByTimeAsync(IDLE_MS - 1);
    expect(opened[0]!.isClosed).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(opened[0]!.isClosed).toBe(true);
    await pool.lease('a', open);
    expect(opened).toHaveLength(2);
  });

  it('closes everything with itself and opens nothing more', async () => {
    await pool.lease('a', open);
    await pool.close();
    expect(opened[0]!.isClosed).toBe(true);
    await expect(pool.lease('a', open)).rejects.toMatchObject({ code: 'runner_unreachable' });
  });
});
