import type { Installation } from './installation.js';
import { allProcesses, descendantsOf, send } from './processes.js';

/**
 * Takes the power away: every process of the installation, of its engine and of its sandboxes is first stopped, so that
 * none sees another die, and then killed. What the disk's cache still holds survives; that is the one thing in which
 * this is milder than a real loss of power.
 */
export function cutPower(installation: Installation): number {
  const all = allProcesses();
  const roots = all.filter(
    ({ pid, command }) =>
      installation.ownPids.includes(pid) ||
      (command.includes('containerd-shim') && command.includes(installation.stateDirectory)),
  );
  const pids = new Set(roots.flatMap(({ pid }) => [pid, ...descendantsOf(pid, all).map((one) => one.pid)]));
  for (const pid of pids) send(pid, 'SIGSTOP');
  // Whoever was born between the look and the stop.
  for (const { pid, parent } of allProcesses()) if (pids.has(parent)) pids.add(pid);
  for (const pid of pids) send(pid, 'SIGKILL');
  return pids.size;
}
