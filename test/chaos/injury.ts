/** What can be hurt: the processes of run.json, what lives in the sandboxes, the lines between two parts, and all of it at once. */
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
  'api-postgres',
  'worker-postgres',
  'api-temporal',
  'worker-temporal',
  'worker-minio',
  'machine',
] as const;
export type Target = (typeof TARGETS)[number];

/** `kill` is -9. `stop` goes on after a while. `cut` leaves both ends of a line alive, and nothing gets through. */
export type Mode = 'kill' | 'stop' | 'cut';

/** One kill, stop or cut, as it happened. */
export interface Injury {
  readonly number: number;
  readonly target: Target;
  readonly mode: Mode;
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

/** Those that were over between two moments. A kill is over at once. */
export function injuriesEnding(injuries: readonly Injury[], fromMs: number, toMs: number): Injury[] {
  return injuries.filter(({ untilMs }) => untilMs !== undefined && untilMs >= fromMs && untilMs <= toMs);
}

/** True for what takes the processes of a sandbox down, or stops them all. */
export function hurtsSandbox({ target, sandboxId }: Injury, id: string): boolean {
  return target === 'machine' || ((target === 'container' || target === 'init') && sandboxId === id);
}

export function describeInjury(
  { number, target, mode, atMs, untilMs, detail }: Injury,
  sinceMs: number,
): string {
  const at = `${((atMs - sinceMs) / 1_000).toFixed(2)} s`;
  const isOver = mode !== 'kill' && untilMs !== undefined;
  const lasted = isOver ? ` for ${((untilMs - atMs) / 1_000).toFixed(1)} s` : '';
  return `#${number} at ${at}: ${mode} ${target}${lasted}${detail === '' ? '' : ` (${detail})`}`;
}
