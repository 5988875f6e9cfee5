import { readdirSync, readFileSync } from 'node:fs';
import { runningStack } from '../stack/running-stack.js';
import { pidOf, type ComponentName } from './processes.js';

let frozen: number[] = [];

/** Stops a component with all its processes, as a machine that hangs would: its connections stay open and answer nothing. */
export function freeze(name: ComponentName): void {
  const pid = pidOf(name);
  frozen = [pid, ...descendantsOf(pid)];
  for (const one of frozen) signal(one, 'SIGSTOP');
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

export async function healthOf(dependency: string): Promise<string | undefined> {
  const response = await fetch(new URL('/health', runningStack().apiUrl));
  const { dependencies } = (await response.json()) as { dependencies: Record<string, { state: string }> };
  return dependencies[dependency]?.state;
}

export async function untilHealthy(dependency: string): Promise<void> {
  const giveUpAt = Date.now() + 30_000;
  while ((await healthOf(dependency)) !== 'up') {
    if (Date.now() > giveUpAt) throw new Error(`${dependency} is not up again.`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
