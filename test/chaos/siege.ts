import { EventEmitter } from 'node:events';
import type { ChaosOptions } from './arguments.js';
import { Assault, type Moment } from './assault.js';
import type { Broken } from './broken.js';
import { Client } from './client.js';
import { Harm } from './harm.js';
import { describeInjury, TARGETS, type Injury, type Target } from './injury.js';
import type { Installation } from './installation.js';
import { findLeaks } from './leaks.js';
import { findRests } from './lifecycle/containers.js';
import { InitWatch } from './inits.js';
import { pause, until } from './pause.js';
import { Random } from './random.js';

/** An operation takes a second or two: kills that come faster would only meet its beginning. */
const GAP_MS_MAX = 5_000;
const WARM_UP_MS = 5_000;
const READY_WITHIN_MS = 120_000;
const READY_LOOK_MS = 500;
const CLEAR_WITHIN_MS = 90_000;
const CLEAR_LOOK_MS = 2_000;
const NEVER_MS = Number.MAX_SAFE_INTEGER;
/** Where no exec is followed, none is looked for among the processes. */
const NO_KEY = /^$/;

/** The options of a run, and the command by which a supervisor is found that is worth a kill. */
export type SiegeOptions = ChaosOptions & { readonly keyPattern?: RegExp };

export interface SiegeResult {
  readonly seed: string;
  readonly startedAt: string;
  readonly minutes: number;
  readonly injuries: readonly Injury[];
  readonly sandboxes: number;
  readonly broken: readonly Broken[];
}

/** What goes on while parts are killed. Each lane does one thing after another until the signal, and then ends what it has begun. */
export interface Besieged {
  readonly lanes: number;
  readonly lane: (lane: number, signal: AbortSignal) => Promise<void>;
  /** What is worth a kill of its own; by default what is told of execs and operations. */
  readonly moments?: readonly Moment[];
  /** What has been violated so far. */
  readonly broken: () => readonly Broken[];
  /** What has been done so far, in words. */
  readonly seen: () => string;
}

/** Sandboxes are made, worked with and deleted while parts of Berth are killed; then nothing may be left of them. */
export class Siege {
  readonly random: Random;
  readonly client: Client;
  readonly moments = new EventEmitter();
  readonly startedAtMs = Date.now();
  readonly inits: InitWatch;
  /** Of this run so far; they are looked at while it goes on. */
  injuries: readonly Injury[] = [];
  /** Grows while the run goes on: every sandbox that it has made. */
  private readonly sandboxIds = new Set<string>();
  private readonly living = new Set<string>();
  private told = 0;

  constructor(
    private readonly options: SiegeOptions,
    readonly installation: Installation,
    private readonly say: (line: string) => void,
  ) {
    this.random = new Random(options.seed);
    this.client = new Client(installation);
    this.inits = new InitWatch(this.sandboxIds);
    this.moments.setMaxListeners(0);
  }

  get sandboxes(): number {
    return this.sandboxIds.size;
  }

  /** From then on it can be hurt, and nothing of it may be left in the end. */
  add(sandboxId: string): void {
    this.sandboxIds.add(sandboxId);
    this.living.add(sandboxId);
  }

  remove(sandboxId: string): void {
    this.living.delete(sandboxId);
  }

  async run(besieged: Besieged, interruption: AbortSignal): Promise<SiegeResult> {
    const landing = new AbortController();
    interruption.addEventListener('abort', () => landing.abort());
    const watched = new AbortController();
    const watching = this.inits.run(watched.signal);
    const lanes = Array.from({ length: besieged.lanes }, (_, lane) =>
      besieged.lane(lane + 1, landing.signal),
    );
    await pause(WARM_UP_MS, interruption);
    const assault = this.planAssault(besieged);
    this.injuries = assault.injuries;
    await assault.run(landing.signal);
    await assault.healAll();
    landing.abort();
    this.say('Nothing is killed any more; waiting for what is under way.');
    await Promise.all(lanes);
    watched.abort();
    const broken: Broken[] = [
      ...assault.problems.map((detail) => ({ kind: 'recovery', detail }) as const),
      ...(await watching),
      ...besieged.broken(),
      ...(await this.settle()),
    ];
    return {
      seed: this.options.seed,
      startedAt: new Date(this.startedAtMs).toISOString(),
      minutes: (Date.now() - this.startedAtMs) / 60_000,
      injuries: assault.injuries,
      sandboxes: this.sandboxes,
      broken,
    };
  }

  private planAssault(besieged: Besieged): Assault {
    const { kills, minutes, only, keyPattern } = this.options;
    const harm = new Harm(this.installation, this.living, keyPattern ?? NO_KEY, this.random.fork('harm'));
    const possible: readonly Target[] = harm.targets.filter(
      (target) => target !== 'supervisor' || keyPattern !== undefined,
    );
    return new Assault(harm, this.moments, this.random.fork('assault'), {
      kills,
      deadlineMs: minutes === undefined ? NEVER_MS : this.startedAtMs + minutes * 60_000,
      gapMsMax: GAP_MS_MAX,
      moments: besieged.moments,
      targets: TARGETS.filter((target) => possible.includes(target) && (only?.includes(target) ?? true)),
      isBack: () => this.installation.isBack(),
      onInjury: (injury) => this.tell(injury, besieged),
    });
  }

  private tell(injury: Injury, besieged: Besieged): void {
    const broken = besieged.broken().map(({ kind, detail }) => `${kind}: ${detail}`);
    const seen = `${besieged.seen()}, ${broken.length} violations so far`;
    this.say(`${describeInjury({ ...injury, untilMs: undefined }, this.startedAtMs)} · ${seen}`);
    for (const text of broken.slice(this.told)) this.say(`  VIOLATION ${text}`);
    this.told = broken.length;
  }

  private async settle(): Promise<Broken[]> {
    const { installation, sandboxIds } = this;
    const isReady = await until(() => installation.isReady(), READY_WITHIN_MS, READY_LOOK_MS);
    if (!isReady) return [{ kind: 'recovery', detail: '/health/ready is not 200 after the run' }];
    this.say('Looking for what was left behind.');
    let rests: string[] = [];
    const isClear = async (): Promise<boolean> => {
      rests = await findRests(installation, sandboxIds);
      return rests.length === 0;
    };
    await until(isClear, CLEAR_WITHIN_MS, CLEAR_LOOK_MS);
    const leaks = await findLeaks({ installation, before: new Set(), disks: new Map(), keyPattern: NO_KEY });
    return [...rests, ...leaks].map((detail) => ({ kind: 'leak', detail }));
  }
}
