import { RESTART_BACKOFF_FACTOR, RESTART_BACKOFF_MS, RESTARTS_MAX } from './limits.js';
import type { SandboxDesiredState } from './sandbox.states.js';

export const RESTART_POLICIES = ['never', 'on-failure', 'always'] as const;
/** Whether a sandbox that should run and came to an end is started again without anybody asking. */
export type RestartPolicy = (typeof RESTART_POLICIES)[number];

/** Its owner wants it to run: what broke it is made good, what somebody ended in order stays ended. */
export const DEFAULT_RESTART_POLICY: RestartPolicy = 'on-failure';

export const RESTART_CAUSES = ['ended', 'failed', 'unhealthy'] as const;
/** `ended`: its container ended in order, without an operation of ours. `failed`: it ended otherwise, or is gone. `unhealthy`: it runs, and its check fails. */
export type RestartCause = (typeof RESTART_CAUSES)[number];

/** A restart that waits for its moment. */
export interface DueRestart {
  readonly at: string;
  readonly cause: RestartCause;
}

/** One that is to wait so long, by the clock of the rows, which is the only one that everybody sees. */
export interface PlannedRestart {
  readonly delayMs: number;
  readonly cause: RestartCause;
}

export interface Restartable {
  readonly desiredState: SandboxDesiredState;
  readonly restartPolicy: RestartPolicy;
  /** When it was started again by itself, the oldest first; those only that count still. */
  readonly restarts: readonly string[];
}

const ANSWERS: Readonly<Record<RestartPolicy, Readonly<Record<RestartCause, boolean>>>> = {
  never: { ended: false, failed: false, unhealthy: false },
  'on-failure': { ended: false, failed: true, unhealthy: true },
  always: { ended: true, failed: true, unhealthy: true },
};

/** How soon this is to be made good, each time later; null where it is not. What is wanted stopped is never started. */
export function planRestart(sandbox: Restartable, cause: RestartCause): PlannedRestart | null {
  const { desiredState, restartPolicy, restarts } = sandbox;
  if (desiredState !== 'running' || !ANSWERS[restartPolicy][cause]) return null;
  const times = restarts.length;
  // People are asked at once.
  const delayMs = times < RESTARTS_MAX ? RESTART_BACKOFF_MS * RESTART_BACKOFF_FACTOR ** times : 0;
  return { delayMs, cause };
}

/** Those that count, and one more once it has begun. */
export function restartsWith(restarts: readonly string[], at: string): string[] {
  return [...restarts.slice(-RESTARTS_MAX), at];
}

/** It does not stay up, so starting it once more is for people to decide. `restarts` holds the one that asks. */
export function isRestartingTooOften(restarts: readonly string[]): boolean {
  return restarts.length > RESTARTS_MAX;
}
