import type { EventEmitter } from 'node:events';
import type { Broken } from '../broken.js';
import type { Client } from '../client.js';
import { ANSWER_MS, END_WITHIN_MS, LOOK_MS } from '../lifecycle/asker.js';
import { pause } from '../pause.js';
import type { Random } from '../random.js';
import type { BulkAction, SeenBulk, SeenItem } from './checker.js';

const RETRIES_MAX = 8;
const RETRIES_OF_DELETE_MAX = 40;
const PAUSE_MS_MAX = 3_000;
const CONCURRENCY_MAX = 4;
const BUDGET_MAX = 2;
const PAGE = '?limit=200';
/** What is done to a bulk operation while it runs, by how often. */
const INTERFERENCES = [
  { name: 'none', weight: 3 },
  { name: 'pause', weight: 4 },
  { name: 'cancel', weight: 1 },
] as const;
const TWICE_CHANCE = 0.3;
const BUDGET_CHANCE = 0.3;
const RETRY_ONE_CHANCE = 0.2;

/** What was seen of it at one moment. */
export interface Look {
  readonly atMs: number;
  readonly bulk: SeenBulk;
}

export interface WavePlace {
  readonly client: Client;
  readonly moments: EventEmitter;
  readonly key: string;
  readonly sandboxIds: readonly string[];
}

const ENDED = new Set(['succeeded', 'failed', 'canceled']);

/** One bulk operation from its request to its last end, and what is asked of it meanwhile: pause, resume, cancel, retry. */
export class Wave {
  readonly looks: Look[] = [];
  readonly broken: Broken[] = [];
  controls = 0;
  private readonly interference: (typeof INTERFERENCES)[number]['name'];
  private readonly interferesAfter: number;
  private hasInterfered = false;
  private retried = 0;

  constructor(
    private readonly place: WavePlace,
    readonly action: BulkAction,
    private readonly random: Random,
  ) {
    this.interference = action === 'delete' ? 'none' : random.weighted(INTERFERENCES).name;
    this.interferesAfter = random.integer(0, place.sandboxIds.length - 1);
  }

  /** Undefined where it has not come to an end in time, which is told. */
  async run(exec: string | undefined): Promise<{ bulk: SeenBulk; items: SeenItem[] } | undefined> {
    const id = await this.begin(exec);
    for (const giveUpAt = Date.now() + END_WITHIN_MS; Date.now() < giveUpAt; await pause(LOOK_MS)) {
      const bulk = await this.look(id, giveUpAt);
      if (!ENDED.has(bulk.state)) await this.interfere(bulk, giveUpAt);
      else if (!(await this.retry(bulk, giveUpAt))) return { bulk, items: await this.items(bulk.id) };
    }
    const seen = this.looks.at(-1)?.bulk;
    const detail = `the bulk ${this.action} ${id} is ${seen?.state}: ${JSON.stringify(seen?.counts)}`;
    this.broken.push({ kind: 'no end', detail });
    return undefined;
  }

  private async begin(exec: string | undefined): Promise<string> {
    const { client, moments, key, sandboxIds } = this.place;
    const hasBudget = this.random.chance(BUDGET_CHANCE) && this.action !== 'delete';
    const body = {
      action: this.action,
      sandboxIds,
      maxConcurrency: this.random.integer(1, CONCURRENCY_MAX),
      ...(hasBudget && { failureBudget: this.random.integer(0, BUDGET_MAX) }),
      ...(exec !== undefined && { exec: { command: exec } }),
    };
    const request = { body, headers: { 'idempotency-key': key } };
    const ask = () => client.insist(Date.now() + ANSWER_MS, 'POST', '/v1/bulk-operations', request);
    moments.emit('posting');
    const answers = await Promise.all(this.random.chance(TWICE_CHANCE) ? [ask(), ask()] : [ask()]);
    moments.emit('accepted');
    const ids = new Set(answers.map(({ body: told }) => (told as { readonly id?: string }).id));
    const [id, ...others] = ids;
    if (id === undefined || others.length > 0)
      throw new Error(
        `A bulk ${this.action} answered ${answers.map(({ status, body: told }) => `${status} ${JSON.stringify(told)}`).join(', ')}`,
      );
    return id;
  }

  private async look(id: string, giveUpAt: number): Promise<SeenBulk> {
    const { client, moments } = this.place;
    const { status, body } = await client.insist(giveUpAt, 'GET', `/v1/bulk-operations/${id}`);
    if (status !== 200) throw new Error(`bulk operation ${id}: ${status} ${JSON.stringify(body)}`);
    const bulk = body as SeenBulk;
    const last = this.looks.at(-1);
    if (last !== undefined && JSON.stringify(last.bulk.counts) !== JSON.stringify(bulk.counts))
      moments.emit('ended');
    this.looks.push({ atMs: Date.now(), bulk });
    return bulk;
  }

  /** A pause of its own, over its budget, is ended as a person would; so is one that was asked for here. */
  private async interfere(bulk: SeenBulk, giveUpAt: number): Promise<void> {
    if (bulk.state === 'paused') {
      await pause(this.random.integer(0, PAUSE_MS_MAX));
      await this.control(bulk.id, 'resume', { pauseNo: bulk.pause?.pauseNo }, giveUpAt);
      return;
    }
    const ended = bulk.total - (bulk.counts['pending'] ?? 0) - (bulk.counts['running'] ?? 0);
    if (this.hasInterfered || this.interference === 'none' || ended < this.interferesAfter) return;
    this.hasInterfered = true;
    await this.control(bulk.id, this.interference, undefined, giveUpAt);
  }

  /** True where it has begun anew. */
  private async retry(bulk: SeenBulk, giveUpAt: number): Promise<boolean> {
    const most = this.action === 'delete' ? RETRIES_OF_DELETE_MAX : RETRIES_MAX;
    if (bulk.state !== 'failed' || this.retried >= most) return false;
    this.retried += 1;
    const items = await this.items(bulk.id);
    const left = items.filter(({ state }) => state === 'failed' || state === 'skipped_busy');
    const some = this.random.chance(RETRY_ONE_CHANCE) ? [this.random.pick(left).sandboxId] : undefined;
    // What is in the way of a busy one takes its time.
    await pause(this.random.integer(0, PAUSE_MS_MAX));
    const told = { round: bulk.round, ...(some && { sandboxIds: some }) };
    await this.control(bulk.id, 'retry-failed', told, giveUpAt);
    return true;
  }

  /** Sent twice at times: the second is stale, and changes nothing. */
  private async control(id: string, name: string, body: object | undefined, giveUpAt: number): Promise<void> {
    this.controls += 1;
    const path = `/v1/bulk-operations/${id}/${name}`;
    const ask = () => this.place.client.insist(giveUpAt, 'POST', path, body && { body });
    await Promise.all(this.random.chance(TWICE_CHANCE) ? [ask(), ask()] : [ask()]);
  }

  private async items(id: string): Promise<SeenItem[]> {
    const path = `/v1/bulk-operations/${id}/items${PAGE}`;
    const { status, body } = await this.place.client.insist(Date.now() + ANSWER_MS, 'GET', path);
    if (status !== 200) throw new Error(`items of ${id}: ${status} ${JSON.stringify(body)}`);
    return (body as { readonly items: SeenItem[] }).items;
  }
}
