import pg from 'pg';
import { limits, type Topic, type WakeReceiver, type WakeSender } from '#domain';
import { connectionOptions, type Database } from './database.js';

export const CHANNEL = 'berth_wake';
/** A NOTIFY payload must be shorter than 8,000 bytes; a topic is about 45. */
const TOPICS_PER_NOTIFY_MAX = 100;
const RECONNECT_MS = 500;
const KEEPALIVE_MS = 5_000;

/**
 * Sends a topic at once after a pause, and otherwise collects what comes within WAKE_BATCH_MS: NOTIFY serialises commits,
 * so it must be rare and small, and a lonely event must not wait for company.
 */
export class PostgresWakeSender implements WakeSender {
  private readonly pending = new Set<Topic>();
  private timer: NodeJS.Timeout | undefined;
  private lastSentAt = -Infinity;

  constructor(
    private readonly database: Database,
    private readonly onError: (error: unknown) => void,
  ) {}

  wake(topic: Topic): void {
    this.pending.add(topic);
    if (this.timer) return;
    const waitMs = Math.max(0, this.lastSentAt + limits.WAKE_BATCH_MS - performance.now());
    this.timer = setTimeout(() => void this.flush(), waitMs);
  }

  /**
   * True where the caller's own statement may carry the wake-up, because none was sent for a while. It saves a round trip
   * and a commit where one piece of news comes alone.
   */
  mayRideAlong(): boolean {
    const now = performance.now();
    if (this.timer || now - this.lastSentAt < limits.WAKE_BATCH_MS) return false;
    this.lastSentAt = now;
    return true;
  }

  /** Readers that miss a wake-up look by themselves, so a failure is reported and not repeated. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.lastSentAt = performance.now();
    const topics = [...this.pending];
    this.pending.clear();
    try {
      for (let from = 0; from < topics.length; from += TOPICS_PER_NOTIFY_MAX) {
        const payload = topics.slice(from, from + TOPICS_PER_NOTIFY_MAX).join(' ');
        // Nobody reads a wake-up after a crash, so its commit need not wait for the disk.
        await this.database.query(`SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`, [
          CHANNEL,
          payload,
        ]);
      }
    } catch (error) {
      this.onError(error);
    }
  }
}

/** One LISTEN connection for a process. After a lost connection every listener is called once: something may have been missed. */
export class PostgresWakeReceiver implements WakeReceiver {
  private readonly listeners = new Map<Topic, Set<() => void>>();
  private client: pg.Client | undefined;
  private keepalive: NodeJS.Timeout | undefined;
  private retry: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly url: string,
    private readonly onError: (error: unknown) => void,
  ) {}

  async start(): Promise<void> {
    if (this.closed) return;
    const client = new pg.Client({ ...connectionOptions(this.url), application_name: 'berth-wake' });
    client.on('notification', (message) => this.deliver(message.payload ?? ''));
    client.on('error', (error) => this.lost(client, error));
    client.on('end', () => this.lost(client, new Error('The LISTEN connection ended.')));
    this.client = client;
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
      this.keepalive = setInterval(() => {
        client.query('SELECT 1').catch((error: unknown) => this.lost(client, error));
      }, KEEPALIVE_MS);
      this.wakeAll();
    } catch (error) {
      this.lost(client, error);
    }
  }

  onWake(topic: Topic, listener: () => void): () => void {
    const set = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, set.add(listener));
    return () => {
      set.delete(listener);
      if (set.size === 0 && this.listeners.get(topic) === set) this.listeners.delete(topic);
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.retry);
    clearInterval(this.keepalive);
    const client = this.client;
    this.client = undefined;
    await client?.end().catch(this.onError);
  }

  private deliver(payload: string): void {
    for (const topic of payload.split(' ')) {
      for (const listener of this.listeners.get(topic as Topic) ?? []) listener();
    }
  }

  private wakeAll(): void {
    for (const set of this.listeners.values()) for (const listener of set) listener();
  }

  private lost(client: pg.Client, error: unknown): void {
    if (this.client !== client || this.closed) return;
    this.client = undefined;
    clearInterval(this.keepalive);
    this.onError(error);
    client.end().catch(() => undefined);
    this.retry = setTimeout(() => void this.start(), RECONNECT_MS);
  }
}
