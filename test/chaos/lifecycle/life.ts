import type { EventEmitter } from 'node:events';
import type { Broken } from '../broken.js';
import { hasEnded, type Client, type ExecBody } from '../client.js';
import { pause, textOf } from '../pause.js';
import type { Random } from '../random.js';
import {
  ANSWER_MS,
  Asker,
  END_WITHIN_MS,
  type ParkDecision,
  type SeenOperation,
  type SeenPark,
} from './asker.js';

const EXEC_WAIT_SECONDS = 20;
const ROUNDS_MIN = 2;
const ROUNDS_MAX = 6;
const ABSENT_AT_FIRST_CHANCE = 0.15;
/** No engine has it, so what needs it parks. */
const ABSENT_IMAGE = 'berth/absent:1';
const TIERS = ['small', 'medium'] as const;
/** What is asked of a sandbox between its making and its deletion, by how often. */
const ACTIONS = [
  { name: 'restart', weight: 3 },
  { name: 'mark', weight: 2 },
  { name: 'fill', weight: 2 },
  { name: 'snapshot', weight: 3 },
  { name: 'restore', weight: 3 },
  { name: 'copy', weight: 1 },
  { name: 'change', weight: 2 },
  { name: 'park', weight: 1 },
  { name: 'stop', weight: 1 },
  { name: 'start', weight: 1 },
] as const;
type Action = (typeof ACTIONS)[number]['name'];

export interface LifePlace {
  readonly client: Client;
  readonly owner: string;
  readonly moments: EventEmitter;
  /** Images that the engine has. */
  readonly images: readonly [string, ...string[]];
  /** Told of each sandbox as soon as it is known. */
  readonly onSandbox: (id: string) => void;
  /** Looked at when nothing is asked of it, before it is deleted. */
  readonly inspect: (id: string) => Promise<readonly Broken[]>;
  /** One hash of the workspace that a sandbox has, read past Berth. */
  readonly hashOf: (id: string) => Promise<string>;
}

interface Kept {
  readonly snapshotId: string;
  readonly tree: string;
  readonly certain: readonly number[];
}

/** One sandbox from its making to its deletion, and what is asked of it meanwhile. A client that insists, and notes what it was told. */
export class Life {
  private readonly asker: Asker;
  private readonly own: Broken[] = [];
  private sandboxId = '';
  private image: string;
  private tree: string | undefined;
  private writes = 0;
  private copies = 0;
  private certain: number[] = [];
  private readonly kept: Kept[] = [];
  /** Workspaces that were compared with what they had to be. */
  compared = 0;

  constructor(
    private readonly place: LifePlace,
    private readonly random: Random,
  ) {
    this.asker = new Asker({ client: place.client, moments: place.moments, name: place.owner });
    this.image = place.images[0];
  }

  get operations(): readonly SeenOperation[] {
    return [...this.asker.operations.values()];
  }

  get parks(): number {
    return this.asker.parks;
  }

  get broken(): readonly Broken[] {
    return [...this.own, ...this.asker.broken];
  }

  /** The signal says that time is over: what is under way ends, and the sandbox is deleted. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.make();
      const rounds = this.random.integer(ROUNDS_MIN, ROUNDS_MAX);
      for (let round = 0; round < rounds && !signal.aborted; round++) {
        const { name } = this.random.weighted(ACTIONS);
        await this.do(name);
        await this.compareTree(name);
      }
      await this.compareImage();
      this.own.push(...(await this.place.inspect(this.sandboxId)));
      await this.asker.ask('DELETE', this.path());
    } catch (error) {
      this.own.push({ kind: 'refused', detail: `${this.place.owner}: ${textOf(error)}` });
    }
  }

  private async do(name: Action): Promise<void> {
    switch (name) {
      case 'mark':
        return await this.mark();
      case 'fill':
        return await this.fill();
      case 'snapshot':
        return await this.snapshot();
      case 'restore':
        return await this.restore();
      case 'copy':
        return await this.copy();
      case 'change':
        return await this.change();
      case 'park':
        return await this.park();
      default:
        await this.asker.ask('POST', this.path(name));
    }
  }

  private path(what?: string): string {
    return `/v1/sandboxes/${this.sandboxId}${what === undefined ? '' : `/${what}`}`;
  }

  /** At times of an image that is not there: its start parks, and is told another one. */
  private async make(): Promise<void> {
    const { owner, onSandbox } = this.place;
    const isAbsent = this.random.chance(ABSENT_AT_FIRST_CHANCE);
    const image = isAbsent ? ABSENT_IMAGE : this.image;
    await this.asker.ask('POST', '/v1/sandboxes', {
      body: { owner, image },
      onSandbox: (id) => {
        if (this.sandboxId === '') onSandbox(id);
        this.sandboxId = id;
      },
      decide: this.corrected,
      isOnce: isAbsent,
    });
    if (isAbsent) await this.asker.ask('POST', this.path('start'), { decide: this.corrected });
  }

  private readonly corrected = (park: SeenPark): ParkDecision => ({
    decision: 'retry',
    ...(park.failure.code === 'image_missing' && { input: { image: this.image } }),
  });

  private async snapshot(): Promise<void> {
    const ended = await this.asker.ask('POST', this.path('snapshot'));
    if (ended?.state !== 'succeeded') return;
    const tree = await this.readTree();
    const [snapshotId] = await this.readySnapshots();
    if (snapshotId === undefined) {
      const detail = `the snapshot ${ended.id} succeeded, and there is none`;
      this.own.push({ kind: 'workspace', detail });
      return;
    }
    this.kept.push({ snapshotId, tree, certain: [...this.certain] });
  }

  private async readySnapshots(): Promise<string[]> {
    const { status, body } = await this.get(this.path('snapshots'));
    if (status !== 200) throw new Error(`the snapshots of ${this.sandboxId} answered ${status}`);
    const { items } = body as { readonly items: readonly { readonly id: string; readonly state: string }[] };
    return items.filter(({ state }) => state === 'ready').map(({ id }) => id);
  }

  private async restore(): Promise<void> {
    if (this.kept.length === 0) return;
    const { snapshotId, tree, certain } = this.random.pick(this.kept);
    const ended = await this.asker.ask('POST', this.path('restore'), { body: { snapshotId } });
    if (ended === undefined) return;
    this.tree = tree;
    this.certain = [...certain];
  }

  /** A sandbox that begins with a snapshot of this one. */
  private async copy(): Promise<void> {
    if (this.kept.length === 0) return;
    const { snapshotId, tree } = this.random.pick(this.kept);
    const { owner, onSandbox, hashOf } = this.place;
    let copy = '';
    const ended = await this.asker.ask('POST', '/v1/sandboxes', {
      body: { owner, name: `copy-${(this.copies += 1)}`, snapshotId },
      onSandbox: (id) => {
        if (copy === '') onSandbox(id);
        copy = id;
      },
      isOnce: true,
    });
    if (ended?.state === 'succeeded') this.compare(await hashOf(copy), tree, `the copy ${copy}`);
    await this.asker.ask('DELETE', `/v1/sandboxes/${copy}`);
  }

  private async change(): Promise<void> {
    const image = this.random.pick(this.place.images);
    const asked = { image, tier: this.random.pick(TIERS) };
    await this.asker.ask('POST', this.path('change'), { body: asked });
    this.image = image;
  }

  /** What parks for want of an image is given up, which leaves everything as it was, or corrected. */
  private async park(): Promise<void> {
    const isAborted = this.random.chance(0.5);
    const image = this.random.pick(this.place.images);
    const ended = await this.asker.ask('POST', this.path('change'), {
      body: { image: ABSENT_IMAGE },
      decide: ({ failure }) => {
        if (failure.code !== 'image_missing') return { decision: 'retry' };
        return isAborted ? { decision: 'abort' } : { decision: 'retry', input: { image } };
      },
      isOnce: true,
    });
    if (ended?.state === 'succeeded') this.image = image;
  }

  private async compareImage(): Promise<void> {
    const { body } = await this.get(this.path());
    const { image } = body as { readonly image: string };
    if (image === this.image) return;
    this.own.push({ kind: 'wrong state', detail: `${this.sandboxId} is of ${image}, not of ${this.image}` });
  }

  private async compareTree(after: Action): Promise<void> {
    const is = await this.readTree();
    if (after === 'mark' || after === 'fill' || this.tree === undefined) this.tree = is;
    this.compare(is, this.tree, `${this.place.owner} after ${after}`);
    this.tree = is;
  }

  private compare(is: string, mustBe: string, what: string): void {
    this.compared += 1;
    if (is !== mustBe)
      this.own.push({ kind: 'workspace', detail: `${what}: the workspace is ${is}, not ${mustBe}` });
  }

  private async readTree(): Promise<string> {
    return await this.place.hashOf(this.sandboxId);
  }

  private async get(path: string) {
    return await this.place.client.insist(Date.now() + ANSWER_MS, 'GET', path);
  }

  /** Files of each kind. However it ends, what is there then is what the next snapshot has to hold. */
  private async fill(): Promise<void> {
    const folder = `/workspace/fill-${this.writes + 1}`;
    const bytes = this.random.integer(0, 400_000);
    const lines = [
      `mkdir -p '${folder}/deep ü' && cd '${folder}'`,
      `head -c ${bytes} /dev/urandom > 'deep ü/bytes'`,
      `ln -s 'deep ü/bytes' symbolic; ln 'deep ü/bytes' hard; ln -s /nowhere dangling`,
      `mkfifo pipe; : > empty; chmod 640 'deep ü/bytes'; chmod 711 'deep ü'; touch -d '2001-02-03 04:05:06' empty`,
    ];
    await this.write(lines.join('\n'));
  }

  /** Writes a line into the workspace and reads all of them: what was certainly written is there once, whatever happened since. */
  private async mark(): Promise<void> {
    const mark = this.writes + 1;
    const exec = await this.write(`echo m${mark} >> /workspace/marks; cat /workspace/marks`);
    // Under kills it may be refused, or be lost; only what is said to have been done is held against Berth.
    if (exec?.state !== 'succeeded') return;
    const output = await this.get(`/v1/execs/${exec.id}/output?stream=stdout`);
    const lines = String(output.body).split('\n').slice(0, -1);
    this.certain.push(mark);
    for (const one of this.certain) {
      const times = lines.filter((line) => line === `m${one}`).length;
      if (times !== 1)
        this.own.push({
          kind: 'workspace',
          detail: `${this.place.owner}: mark ${one} is there ${times} times after mark ${mark}`,
        });
    }
  }

  /** Undefined where it was refused. Otherwise nothing of it works any more. */
  private async write(command: string): Promise<ExecBody | undefined> {
    const { client, owner } = this.place;
    const request = {
      body: { command },
      headers: { 'idempotency-key': `${owner}-write-${(this.writes += 1)}` },
    };
    const path = this.path(`execs?wait=${EXEC_WAIT_SECONDS}`);
    const { status, body } = await client.insist(Date.now() + ANSWER_MS, 'POST', path, request);
    if (status >= 300) return undefined;
    let exec = body as ExecBody;
    for (const giveUpAt = Date.now() + END_WITHIN_MS; !hasEnded(exec); await pause(0)) {
      if (Date.now() > giveUpAt) throw new Error(`the exec ${exec.id} is still ${exec.state}`);
      const looked = await this.get(`/v1/execs/${exec.id}?wait=${EXEC_WAIT_SECONDS}`);
      exec = looked.body as ExecBody;
    }
    return exec;
  }
}
