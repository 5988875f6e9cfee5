import { once, type EventEmitter } from 'node:events';
import type { Harm } from './harm.js';
import type { Injury, Target } from './injury.js';
import { pause, textOf, until } from './pause.js';
import type { Random } from './random.js';

const GAP_MS_MIN = 100;
export const GAP_MS_MAX = 1_500;
/** What was killed before is back before the next kill, unless it takes longer than this. */
const BACK_WITHIN_MS = 3_000;
const BACK_LOOK_MS = 100;
const TWO_AT_ONCE_CHANCE = 0.15;
const STOP_CHANCE = 0.3;
const AIMED_CHANCE = 0.5;
const AIM_WAIT_MS = 2_000;
const AIM_DELAY_MS_MAX = 150;
/** With more than so many parts stopped at once there would be nothing left to test. */
const OPEN_STOPS_MAX = 2;
/** What may be aimed at where nothing else is said. */
const MOMENTS: readonly Moment[] = [{ name: 'posting' }, { name: 'accepted' }, { name: 'ended' }];
/** How often each is chosen, where all others are chosen once: lines are cut for long, and after a loss of power everything starts anew. */
const WEIGHTS: Partial<Record<Target, number>> = {
  'api-postgres': 0.5,
  'worker-postgres': 0.5,
  'api-temporal': 0.5,
  'worker-temporal': 0.5,
  'worker-minio': 0.5,
  machine: 0.25,
};

/** Something that is told of while it goes on. What is over at once is struck at once. */
export interface Moment {
  readonly name: string;
  readonly isShort?: boolean;
}

export interface AssaultOptions {
  readonly kills: number;
  readonly deadlineMs: number;
  /** The longest pause before a kill. */
  readonly gapMsMax: number;
  readonly targets: readonly Target[];
  readonly moments?: readonly Moment[] | undefined;
  /** True when everything answers again. */
  readonly isBack: () => Promise<boolean>;
  readonly onInjury: (injury: Injury) => void;
}

/** The kills of a run: which, when and how, as the seed says. Half of them are aimed at a moment of some exec. */
export class Assault {
  readonly injuries: Injury[] = [];
  readonly problems: string[] = [];
  private readonly healing = new Set<Promise<void>>();
  private readonly stopped = new Set<Target>();
  private readonly quick = new AbortController();

  constructor(
    private readonly harm: Harm,
    private readonly moments: EventEmitter,
    private readonly random: Random,
    private readonly options: AssaultOptions,
  ) {}

  async run(signal: AbortSignal): Promise<void> {
    const { kills, deadlineMs, gapMsMax } = this.options;
    while (this.injuries.length < kills && Date.now() < deadlineMs && !signal.aborted) {
      await pause(this.random.integer(GAP_MS_MIN, gapMsMax), signal);
      await this.aim(signal);
      const count = this.random.chance(TWO_AT_ONCE_CHANCE) ? 2 : 1;
      for (let one = 0; one < count && this.injuries.length < kills; one++) await this.hurt();
      await until(this.options.isBack, BACK_WITHIN_MS, BACK_LOOK_MS);
      while (this.stopped.size >= OPEN_STOPS_MAX) await Promise.race(this.healing);
    }
  }

  /** Lets everything that is stopped go on, and waits for what is being started. */
  async healAll(): Promise<void> {
    this.quick.abort();
    await Promise.all(this.healing);
  }

  private async aim(signal: AbortSignal): Promise<void> {
    const isAimed = this.random.chance(AIMED_CHANCE);
    const { name, isShort } = this.random.pick(this.options.moments ?? MOMENTS);
    const delayMs = this.random.integer(0, AIM_DELAY_MS_MAX);
    if (!isAimed) return;
    const aimed = new AbortController();
    // Where nothing of the kind happens in time the kill falls where it falls.
    const met = once(this.moments, name, { signal: aimed.signal }).catch(() => undefined);
    await Promise.race([met, pause(AIM_WAIT_MS, signal)]);
    aimed.abort();
    if (isShort !== true) await pause(delayMs);
  }

  private async hurt(): Promise<void> {
    const choices = this.options.targets.map((name) => ({ name, weight: WEIGHTS[name] ?? 1 }));
    const { name: target } = this.random.weighted(choices);
    const mode = this.harm.modeFor(target, this.random.chance(STOP_CHANCE) ? 'stop' : 'kill');
    if (this.stopped.has(target)) return;
    const atMs = Date.now();
    const harmed = await this.harm.do(target, mode, this.quick.signal);
    if (harmed === undefined) return;
    const injury: Injury = {
      number: this.injuries.length + 1,
      target,
      mode,
      atMs,
      untilMs: undefined,
      sandboxId: harmed.sandboxId,
      execKey: harmed.execKey,
      detail: harmed.detail,
    };
    this.injuries.push(injury);
    this.options.onInjury(injury);
    if (mode !== 'kill') this.stopped.add(target);
    const healing = harmed.healed
      .catch((error: unknown) => void this.problems.push(textOf(error)))
      .finally(() => {
        injury.untilMs = Date.now();
        this.stopped.delete(target);
        this.healing.delete(healing);
      });
    this.healing.add(healing);
    // Without power there is nothing to hurt.
    if (target === 'machine') await healing;
  }
}
