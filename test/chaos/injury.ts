/** What can be killed or stopped: the processes of run.json, and what lives in the sandboxes. */
export const TARGETS = [
  'api',
  'worker',
  'temporal',
  'postgres',
  'minio',
  'dockerd',
  'containerd',
  'init',
  'container',
  'supervisor',
] as const;
export type Target = (typeof TARGETS)[number];

/** One kill or stop, as it happened. */
export interface Injury {
  readonly number: number;
  readonly target: Target;
  readonly mode: 'kill' | 'stop';
  readonly atMs: number;
  /** When it was healed: a stopped process goes on. A killed one is started again by whose child it is. */
  untilMs: number | undefined;
  readonly sandboxId: string | undefined;
  readonly execKey: string | undefined;
  readonly detail: string;
}

/** How long after it an injury may still be the cause of what is seen. */
const ECHO_MS = 60_000;

/** Those that can have to do with what happened between two moments. */
export function injuriesBetween(injuries: readonly Injury[], fromMs: number, toMs: number): Injury[] {
  return injuries.filter(({ atMs, untilMs }) => atMs <= toMs && (untilMs ?? atMs) + ECHO_MS >= fromMs);
}

export function describeInjury(
  { number, target, mode, atMs, untilMs, detail }: Injury,
  sinceMs: number,
): string {
  const at = `${((atMs - sinceMs) / 1_000).toFixed(2)} s`;
  const isOver = mode === 'stop' && untilMs !== undefined;
  const lasted = isOver ? ` for ${((untilMs - atMs) / 1_000).toFixed(1)} s` : '';
  return `#${number} at ${at}: ${mode} ${target}${lasted}${detail === '' ? '' : ` (${detail})`}`;
}
