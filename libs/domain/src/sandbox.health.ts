/** How a sandbox is asked whether it is well. Exactly one of the two is there. */
export interface HealthCheck {
  /** Runs as an exec would, without being one; exit code 0 is well. */
  readonly command: readonly string[] | null;
  /** Asked on the sandbox's own loopback, without following redirects; a status from 200 to 399 is well. */
  readonly http: { readonly port: number; readonly path: string } | null;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  /** So many failures in a row are unhealthy. */
  readonly failuresMax: number;
  /** How long a start waits for the first time that it is well. */
  readonly startSeconds: number;
}

export const HEALTH_STATUSES = ['none', 'healthy', 'unhealthy'] as const;
/** `none`: there is no check, or it has said nothing yet. */
export type HealthStatus = (typeof HEALTH_STATUSES)[number];

export interface Health {
  readonly status: HealthStatus;
  readonly since: string | null;
  /** What the last failure was; null where the last check was well. */
  readonly reason: string | null;
  readonly consecutiveFailures: number;
}

export const NO_HEALTH: Health = { status: 'none', since: null, reason: null, consecutiveFailures: 0 };

export interface CheckOutcome {
  readonly ok: boolean;
  /** Why not. It may quote what the sandbox said, so it is bounded and shown to its owner only. */
  readonly detail: string;
}

/** The health after one more outcome; the same object where it says nothing new. */
export function healthAfter(
  health: Health,
  { ok, detail }: CheckOutcome,
  failuresMax: number,
  now: string,
): Health {
  if (ok && health.status === 'healthy' && health.consecutiveFailures === 0) return health;
  const consecutiveFailures = ok ? 0 : health.consecutiveFailures + 1;
  const status = statusAfter(health.status, ok, consecutiveFailures >= failuresMax);
  const since = status === health.status ? health.since : now;
  return { status, since, reason: ok ? null : detail, consecutiveFailures };
}

function statusAfter(status: HealthStatus, ok: boolean, failedTooOften: boolean): HealthStatus {
  if (ok) return 'healthy';
  return failedTooOften ? 'unhealthy' : status;
}

export function isSameCheck(one: HealthCheck | null, other: HealthCheck | null): boolean {
  return textOf(one) === textOf(other);
}

/** In one order of members, whatever the database made of it. */
function textOf(check: HealthCheck | null): string {
  if (check === null) return '';
  const { command, http, intervalSeconds, timeoutSeconds, failuresMax, startSeconds } = check;
  const asked = http === null ? command : [http.port, http.path];
  return JSON.stringify([http === null, asked, intervalSeconds, timeoutSeconds, failuresMax, startSeconds]);
}
