import { EventEmitter } from 'node:events';
import type { ChaosOptions } from '../arguments.js';
import { Assault } from '../assault.js';
import { Client } from '../client.js';
import { Harm } from '../harm.js';
import { describeInjury, TARGETS, type Injury, type Target } from '../injury.js';
import type { Installation } from '../installation.js';
import { findLeaks } from '../leaks.js';
import { pause, until } from '../pause.js';
import { Random } from '../random.js';
import { compareState, findRests, watchInits } from './containers.js';
import { Life, type Broken, type SeenOperation } from './life.js';
import type { LifecycleResult } from './result.js';

const LANES = 6;
/** An operation takes a second or two: kills that come faster would only meet its beginning. */
const GAP_MS_MAX = 5_000;
const WARM_UP_MS = 5_000;
const READY_WITHIN_MS = 120_000;
const READY_LOOK_MS = 500;
const CLEAR_WITHIN_MS = 90_000;
const CLEAR_LOOK_MS = 2_000;
const NEVER_MS = Number.MAX_SAFE_INTEGER;
/** No exec runs here, so none is looked for among the processes. */
const NO_KEY = /^$/;

/** Sandboxes are made, restarted, stopped, started and deleted while parts of Berth are killed; then nothing may be left of them. */
export class LifecycleRun {
  private readonly random: Random;
  private readonly client: Client;
  private readonly moments = new EventEmitter();
  private readonly startedAtMs = Date.now();
  /** Grows while the run goes on: every sandbox that it has made. */
  private readonly sandboxIds = new Set<string>();
  private readonly living = new Set<string>();
  private readonly lives: Life[] = [];

  constructor(
    private readonly options: ChaosOptions,
    private readonly installation: Installation,
    private readonly say: (line: string) => void,
  ) {
    this.random = new Random(options.seed);
    this.client = new Client(installation);
    this.moments.setMaxListeners(0);
  }

  async run(interruption: AbortSignal): Promise<LifecycleResult> {
    const landing = new AbortController();
    interruption.addEventListener('abort', () => landing.abort());
    const watched = new AbortController();
    const watching = watchInits(this.sandboxIds, watched.signal);
    const lanes = Array.from({ length: LANES }, (_, lane) => this.lane(lane + 1, landing.signal));
    await pause(WARM_UP_MS, interruption);
    const assault = this.planAssault();
    await assault.run(landing.signal);
    await assault.healAll();
    landing.abort();
    this.say('Nothing is killed any more; waiting for what is under way.');
    await Promise.all(lanes);
    watched.abort();
    const broken: Broken[] = [
      ...assault.problems.map((detail) => ({ kind: 'recovery', detail }) as const),
      ...(await watching),
      ...this.lives.flatMap((life) => life.broken),
      ...(await this.settle()),
    ];
    return {
      seed: this.options.seed,
      startedAt: new Date(this.startedAtMs).toISOString(),
      minutes: (Date.now() - this.startedAtMs) / 60_000,
      injuries: assault.injuries,
      sandboxes: this.sandboxIds.size,
      operations: this.operations(),
      parks: this.lives.reduce((sum, { parks }) => sum + parks, 0),
      broken,
    };
  }

  private async lane(lane: number, signal: AbortSignal): Promise<void> {
    const { client, moments, installation } = this;
    for (let number = 1; !signal.aborted; number++) {
      // A fork for each, so that what is asked depends on its number alone, and not on when it is its turn.
      const random = this.random.fork(`life ${lane}-${number}`);
      const owner = `chaos-${this.startedAtMs.toString(36)}-${lane}-${number}`;
      let known = '';
      const life = new Life(
        {
          client,
          moments,
          owner,
          onSandbox: (id) => {
            known = id;
            this.sandboxIds.add(id);
            this.living.add(id);
          },
          inspect: (id) => compareState({ client, installation }, id),
        },
        random,
      );
      this.lives.push(life);
      await life.run(signal);
      this.living.delete(known);
    }
  }

  private planAssault(): Assault {
    const harm = new Harm(this.installation, this.living, NO_KEY, this.random.fork('harm'));
    const { kills, minutes, only } = this.options;
    const possible: readonly Target[] = harm.targets.filter((target) => target !== 'supervisor');
    return new Assault(harm, this.moments, this.random.fork('assault'), {
      kills,
      deadlineMs: minutes === undefined ? NEVER_MS : this.startedAtMs + minutes * 60_000,
      gapMsMax: GAP_MS_MAX,
      targets: TARGETS.filter((target) => possible.includes(target) && (only?.includes(target) ?? true)),
      isBack: () => this.installation.isBack(),
      onInjury: (injury) => this.tell(injury),
    });
  }

  private tell(injury: Injury): void {
    const broken = this.lives.flatMap((life) => life.broken).map(({ kind, detail }) => `${kind}: ${detail}`);
    const seen = `${this.sandboxIds.size} sandboxes, ${this.operations().length} operations, ${broken.length} violations so far`;
    this.say(`${describeInjury({ ...injury, untilMs: undefined }, this.startedAtMs)} · ${seen}`);
    for (const text of broken.slice(this.told)) this.say(`  VIOLATION ${text}`);
    this.told = broken.length;
  }
  private told = 0;

  private async settle(): Promise<Broken[]> {
    const isReady = await until(() => this.installation.isReady(), READY_WITHIN_MS, READY_LOOK_MS);
    if (!isReady) return [{ kind: 'recovery', detail: '/health/ready is not 200 after the run' }];
    this.say('Looking for what was left behind.');
    let rests: string[] = [];
    const isClear = async (): Promise<boolean> => {
      rests = await findRests(this.installation, this.sandboxIds);
      return rests.length === 0;
    };
    await until(isClear, CLEAR_WITHIN_MS, CLEAR_LOOK_MS);
    const leaks = await findLeaks({
      installation: this.installation,
      before: new Set(),
      disks: new Map(),
      keyPattern: NO_KEY,
    });
    return [...rests, ...leaks].map((detail) => ({ kind: 'leak', detail }));
  }

  private operations(): SeenOperation[] {
    return this.lives.flatMap(({ operations }) => [...operations.values()]);
  }
}
