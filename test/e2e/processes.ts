import { runningStack } from '../stack/running-stack.js';
import { until } from './until.js';

const POLL_MS = 20;
/** When a test gives up; the launcher waits longer from one early death to the next. */
const GIVE_UP_AFTER_MS = 90_000;

export type ComponentName = 'api' | 'worker' | 'temporal' | 'postgres' | 'minio';

export function pidOf(name: ComponentName): number {
  const pid = runningStack().processes[name]?.pid;
  if (pid === undefined) throw new Error(`run.json names no process ${name}.`);
  return pid;
}

/** Kills with -9 and returns once run.json names a new process, which may not answer yet. */
export async function killAndAwaitNew(name: ComponentName): Promise<void> {
  const before = pidOf(name);
  process.kill(before, 'SIGKILL');
  await awaitNew(name, before);
}

/** Returns once run.json names another, living process than `before`. */
export async function awaitNew(name: ComponentName, before: number): Promise<void> {
  const giveUpAt = performance.now() + GIVE_UP_AFTER_MS;
  while (performance.now() < giveUpAt) {
    const now = runningStack().processes[name]?.pid;
    if (now !== undefined && now !== before && isAlive(now)) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`${name} was not started again within ${GIVE_UP_AFTER_MS} ms.`);
}

/** Once a process that was asked to end has gone. */
export async function untilGone(pid: number): Promise<void> {
  await until(
    () => isAlive(pid),
    (isThere) => !isThere,
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
