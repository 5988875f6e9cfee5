import { readdirSync, readFileSync } from 'node:fs';
import { runningStack } from '../stack/running-stack.js';
import { pidOf, type ComponentName } from './processes.js';
import { until } from './until.js';

let frozen: number[] = [];

/**
 * Stops a component with all its processes, as a machine that hangs would: its connections stay open and answer nothing.
 * The first one is stopped before its children are listed, so that it makes no more of them meanwhile.
 */
export function freeze(name: ComponentName): void {
  const pid = pidOf(name);
  frozen = [pid];
  signal(pid, 'SIGSTOP');
  const children = descendantsOf(pid);
  frozen.push(...children);
  for (const child of children) signal(child, 'SIGSTOP');
}

export function thaw(): void {
  for (const pid of frozen.toReversed()) signal(pid, 'SIGCONT');
  frozen = [];
}

/** Server processes of Postgres come and go with their connections; the others are signalled all the same. */
function signal(pid: number, name: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function descendantsOf(parent: number): number[] {
  const children = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent);
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

/** Undefined where the API itself does not answer. */
async function healthOf(dependency: string): Promise<string | undefined> {
  try {
    const response = await fetch(new URL('/health', runningStack().apiUrl));
    const { dependencies } = (await response.json()) as { dependencies: Record<string, { state: string }> };
    return dependencies[dependency]?.state;
  } catch {
    return undefined;
  }
}

/** Health looks at most once a second, so what it says may be from before. */
export async function untilHealthIs(dependency: string, state: string): Promise<void> {
  await until(
    async () => ({ dependency, state: await healthOf(dependency) }),
    (seen) => seen.state === state,
  );
}

export async function untilHealthy(dependency: string): Promise<void> {
  await untilHealthIs(dependency, 'up');
}
