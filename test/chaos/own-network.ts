import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { works } from './tools.js';

/** Set in the environment of a run that is alone in its network namespace. */
export const OWN_NETWORK = 'BERTH_CHAOS_OWN_NETWORK';
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * False where the run is in one already, where the system allows none, and where npm start would first have to install an
 * engine, for which it needs the network of the machine.
 */
export function canHaveOwnNetwork(): boolean {
  if (process.env[OWN_NETWORK] !== undefined) return false;
  const isInstalled = works('dockerd', ['--version']) && works('containerd', ['--version']);
  return isInstalled && works('unshare', ['--net', 'ip', 'link', 'set', 'lo', 'up']);
}

/** Runs the same again with a network that has nothing but a loopback, and gives its exit code. */
export async function runInOwnNetwork(script: string, argv: readonly string[]): Promise<number> {
  const inside = ['sh', '-c', 'ip link set lo up && exec "$@"', 'sh', process.execPath, script, ...argv];
  const child = spawn('unshare', ['--net', ...inside], {
    stdio: 'inherit',
    env: { ...process.env, [OWN_NETWORK]: '1' },
  });
  const forwards = SIGNALS.map((name) => ({ name, forward: () => void child.kill(name) }));
  for (const { name, forward } of forwards) process.on(name, forward);
  const [code] = (await once(child, 'exit')) as [number | null];
  for (const { name, forward } of forwards) process.off(name, forward);
  return code ?? 1;
}
