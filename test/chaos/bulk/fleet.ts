import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Broken } from '../broken.js';
import { hurtsSandbox, type Injury } from '../injury.js';
import { ANSWER_MS, Asker } from '../lifecycle/asker.js';
import { compareState } from '../lifecycle/containers.js';
import { initsOf } from '../inits.js';
import { textOf } from '../pause.js';
import type { Random } from '../random.js';
import type { Siege } from '../siege.js';
import { findDisk } from '../witness.js';
import { isExact, judgeBulk, type BulkAction, type Effect } from './checker.js';
import { Wave } from './wave.js';

const SIZE = 6;
const WAVES_MIN = 3;
const WAVES_MAX = 5;
const EFFECTS_FILE = 'effects';
const SNAPSHOTS_FOLDER = 'minio/berth/snapshots';
const MANIFEST_DEPTH = 4;
const ENGINES: readonly string[] = ['dockerd', 'containerd'];
/** So long after its end the kill of an engine can still have had a container made anew. */
const ENGINE_ECHO_MS = 15_000;
/** What is asked of a fleet between its making and its deletion, by how often. */
const ACTIONS = [
  { name: 'restart', weight: 3 },
  { name: 'exec', weight: 3 },
  { name: 'snapshot', weight: 2 },
  { name: 'stop', weight: 1 },
  { name: 'start', weight: 1 },
] as const;

interface Before {
  readonly isRunning: boolean;
  readonly births: number;
  readonly snapshots: number;
}

/** Some sandboxes from their making to their deletion, and the bulk operations on all of them, each compared with what it did. */
export class Fleet {
  readonly waves: Wave[] = [];
  /** Items whose effect must be there exactly so often, because no kill can have added to it. */
  exact = 0;
  counted = 0;
  private readonly sandboxIds: string[] = [];
  private readonly found: Broken[] = [];
  private readonly askers: Asker[] = [];
  private readonly madeAtMs = Date.now();

  constructor(
    private readonly siege: Siege,
    private readonly name: string,
    private readonly random: Random,
  ) {}

  get broken(): readonly Broken[] {
    return [
      ...this.found,
      ...this.askers.flatMap(({ broken }) => broken),
      ...this.waves.flatMap(({ broken }) => broken),
    ];
  }

  /** The signal says that time is over: what is under way ends, and the fleet is deleted. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await Promise.all(Array.from({ length: SIZE }, (_, number) => this.make(number + 1)));
      const waves = this.random.integer(WAVES_MIN, WAVES_MAX);
      for (let wave = 0; wave < waves && !signal.aborted; wave++) {
        await this.wave(this.random.weighted(ACTIONS).name);
      }
      const { client, installation } = this.siege;
      const compared = this.sandboxIds.map((id) => compareState({ client, installation }, id));
      this.found.push(...(await Promise.all(compared)).flat());
      await this.wave('delete');
    } catch (error) {
      this.found.push({ kind: 'refused', detail: `${this.name}: ${textOf(error)}` });
    } finally {
      for (const id of this.sandboxIds) this.siege.remove(id);
    }
  }

  private async make(number: number): Promise<void> {
    const { client, moments } = this.siege;
    const owner = `${this.name}-${number}`;
    const asker = new Asker({ client, moments, name: owner });
    this.askers.push(asker);
    const onSandbox = (id: string): void => {
      if (this.sandboxIds.includes(id)) return;
      this.sandboxIds.push(id);
      this.siege.add(id);
    };
    await asker.ask('POST', '/v1/sandboxes', { body: { owner }, onSandbox });
  }

  private async wave(action: BulkAction): Promise<void> {
    const { client, moments } = this.siege;
    const number = this.waves.length + 1;
    const key = `${this.name}-wave-${number}`;
    const { sandboxIds } = this;
    const random = this.random.fork(`wave ${number}`);
    const wave = new Wave({ client, moments, key, sandboxIds }, action, random);
    this.waves.push(wave);
    const sinceMs = Date.now();
    const before = new Map<string, Before>();
    for (const id of sandboxIds) before.set(id, await this.stateOf(id, action));
    // The kernel gives each run of it another line.
    const exec = `echo "${key} $(cat /proc/sys/kernel/random/uuid)" >> /workspace/${EFFECTS_FILE}`;
    const ended = await wave.run(action === 'exec' ? exec : undefined);
    if (ended === undefined) return;
    const effects = new Map<string, Effect>();
    for (const [id, was] of before) effects.set(id, await this.effectOn(id, was, { action, key, sinceMs }));
    this.counted += effects.size;
    this.exact += [...effects.values()].filter((effect) => isExact(action, effect)).length;
    this.found.push(...judgeBulk({ ...ended, sandboxIds, effects }));
  }

  private async stateOf(id: string, action: BulkAction): Promise<Before> {
    const births = this.siege.inits.births(id);
    const isRunning = initsOf(new Set([id])).size > 0;
    return { births, isRunning, snapshots: action === 'snapshot' ? await this.snapshotsOf(id) : 0 };
  }

  private async effectOn(
    sandboxId: string,
    was: Before,
    { action, key, sinceMs }: { readonly action: BulkAction; readonly key: string; readonly sinceMs: number },
  ): Promise<Effect> {
    const is = await this.stateOf(sandboxId, action);
    return {
      sandboxId,
      wasRunning: was.isRunning,
      isRunning: is.isRunning,
      births: is.births - was.births,
      lines: action === 'exec' ? await this.linesOf(sandboxId, key) : 0,
      snapshots: is.snapshots - was.snapshots,
      hits: this.hitsOn(sandboxId, sinceMs),
    };
  }

  /** Those on itself since it was made, for it is started again at any time later; those on an engine that this wave has felt. */
  private hitsOn(sandboxId: string, sinceMs: number): number {
    const own = (injury: Injury): boolean => hurtsSandbox(injury, sandboxId) && injury.atMs >= this.madeAtMs;
    const felt = ({ target, atMs, untilMs }: Injury): boolean =>
      ENGINES.includes(target) && (untilMs ?? atMs) + ENGINE_ECHO_MS >= sinceMs;
    return this.siege.injuries.filter((injury) => own(injury) || felt(injury)).length;
  }

  /** From the disk of this machine, past Berth and Docker's copies. */
  private async linesOf(sandboxId: string, key: string): Promise<number> {
    const { workspace } = await findDisk(this.siege.installation, sandboxId);
    const path = join(workspace, EFFECTS_FILE);
    if (!existsSync(path)) return 0;
    const lines = readFileSync(path, 'utf8').split('\n');
    return lines.filter((line) => line.startsWith(`${key} `)).length;
  }

  /** Those that Berth says it has, and of which the folder of the object storage has the manifest. */
  private async snapshotsOf(sandboxId: string): Promise<number> {
    const { client, installation } = this.siege;
    const path = `/v1/sandboxes/${sandboxId}/snapshots?limit=200`;
    const { status, body } = await client.insist(Date.now() + ANSWER_MS, 'GET', path);
    if (status !== 200) throw new Error(`GET ${path} answered ${status}`);
    const { items } = body as { readonly items: readonly { readonly id: string; readonly state: string }[] };
    const stored = new Set(manifestsIn(join(installation.stateDirectory, SNAPSHOTS_FOLDER)));
    return items.filter(({ id, state }) => state === 'ready' && stored.has(id)).length;
  }
}

/** The snapshots that have one: `{tenant}/{snapshot}/{attempt}/manifest.json`. */
function manifestsIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => path.split('/'))
    .filter((parts) => parts.length === MANIFEST_DEPTH && parts.at(-1) === 'manifest.json')
    .map((parts) => parts[1] ?? '');
}
