import { runningStack } from '../stack/running-stack.js';

const POLL_MS = 20;
const BACK_WITHIN_MS = 30_000;

export type ComponentName = 'api' | 'worker' | 'temporal' | 'postgres' | 'minio';

export function pidOf(name: ComponentName): number {
  const pid = runningStack().processes[name]?.pid;
  if (pid === undefined) throw new Error(`run.json names no process ${name}.`);
  return pid;
}

/** Kills with -9 and returns once run.json names a new process, with the milliseconds that took. */
export async function killAndAwaitNew(name: ComponentName): Promise<number> {
  const before = pidOf(name);
  const killedAt = performance.now();
  process.kill(before, 'SIGKILL');
  await awaitNew(name, before);
  return performance.now() - killedAt;
}

/** Returns once run.json names another, living process than `before`. */
export async function awaitNew(name: ComponentName, before: number): Promise<void> {
  const giveUpAt = performance.now() + BACK_WITHIN_MS;
  while (performance.now() < giveUpAt) {
    const now = runningStack().processes[name]?.pid;
    if (now !== undefined && now !== before && isAlive(now)) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`${name} was not started again within ${BACK_WITHIN_MS} ms.`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
