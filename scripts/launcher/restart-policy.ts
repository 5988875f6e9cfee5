/** A component that lived at least this long has earned an immediate restart. */
const STABLE_AFTER_MS = 10_000;
const DELAYS_MS = [0, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000] as const;
/** From this many early deaths in a row on, the log's last lines are shown: it will not heal by itself. */
const LOUD_AFTER_DEATHS = 3;

export interface RestartDecision {
  readonly delayMs: number;
  readonly isLoud: boolean;
}

/** Decides how long to wait before the next start: not at all after a long life, longer after each early death. */
export class RestartPolicy {
  private earlyDeaths = 0;

  /** @param livedMs how long the process had been alive when it died */
  onDeath(livedMs: number): RestartDecision {
    this.earlyDeaths = livedMs >= STABLE_AFTER_MS ? 0 : this.earlyDeaths + 1;
    const index = Math.min(Math.max(this.earlyDeaths - 1, 0), DELAYS_MS.length - 1);
    return { delayMs: DELAYS_MS[index] ?? 0, isLoud: this.earlyDeaths >= LOUD_AFTER_DEATHS };
  }
}
