import type { Injury } from '../injury.js';
import type { SeenOperation } from './asker.js';

/** Where in the life of an operation a kill can fall. */
export const LIFECYCLE_PHASES = {
  S1: 'a start is asked for, no container yet',
  S2: 'its container is made',
  S3: 'its container is started',
  S4: 'its runner answers',
  stop: 'what runs is being ended',
  delete: 'containers and volumes are being removed',
  move: 'a workspace is being kept or unpacked, or a change begins',
} as const;
export type LifecyclePhase = keyof typeof LIFECYCLE_PHASES;

/** The phase that each step belongs to while it runs. */
const PHASE_OF_STEP: Readonly<Record<string, LifecyclePhase>> = {
  check_restarts: 'S1',
  prepare_storage: 'S1',
  create_container: 'S1',
  start_container: 'S2',
  await_runner: 'S3',
  await_health: 'S4',
  open_queue: 'S4',
  hold_queue: 'stop',
  await_execs: 'stop',
  stop_container: 'stop',
  drain_execs: 'stop',
  record_stopped: 'stop',
  write_snapshot: 'move',
  record_done: 'move',
  unpack_snapshot: 'move',
  switch_workspace: 'move',
  apply_change: 'move',
  withdraw_execs: 'delete',
  remove_containers: 'delete',
  remove_storage: 'delete',
  record_deleted: 'delete',
};

/** How many injuries met an operation in each phase. A step lasts until the next one begins. */
export function lifecyclePhasesMet(
  injuries: readonly Injury[],
  operations: readonly SeenOperation[],
): Record<LifecyclePhase, number> {
  const met = { S1: 0, S2: 0, S3: 0, S4: 0, stop: 0, delete: 0, move: 0 };
  const spans = operations.flatMap(({ steps, finishedAt }) =>
    steps.flatMap(({ name, startedAt }, index) => {
      const phase = PHASE_OF_STEP[name];
      const until = steps[index + 1]?.startedAt ?? finishedAt;
      return phase === undefined
        ? []
        : [{ phase, fromMs: Date.parse(startedAt), toMs: until === null ? Infinity : Date.parse(until) }];
    }),
  );
  for (const { atMs } of injuries) {
    const hit = spans.filter(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs).map(({ phase }) => phase);
    for (const phase of new Set(hit)) met[phase] += 1;
  }
  return met;
}
