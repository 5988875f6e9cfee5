export type DependencyState = 'up' | 'degraded' | 'down';

export interface ProbeResult {
  readonly state: DependencyState;
  readonly detail: string;
  /** Numbers for the metrics, by their names there without the prefix. */
  readonly figures?: Readonly<Record<string, number>>;
}

/** One dependency. Throwing means that it is down. `neededForReady`: without it nothing useful can be answered. */
export interface HealthProbe {
  readonly name: string;
  readonly neededForReady: boolean;
  check(): Promise<ProbeResult>;
}
