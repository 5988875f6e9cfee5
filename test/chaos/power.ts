import type { Installation } from './installation.js';
import { allProcesses, descendantsOf, send } from './processes.js';

const LOOKS_MAX = 100;

/**
 * Takes the power away: every process of the installation, of its engine and of its sandboxes is first stopped, so that
 * none sees another die, and then killed, and so is whatever was just being born. What the disk's cache still holds
 * survives; that is the one thing in which this is milder than a real loss of power.
 */
export function cutPower(installation: Installation): number {
  const killed = new Set<number>();
  for (let look = 0; look < LOOKS_MAX; look++) {
    const pids = livingOf(installation);
    if (pids.size === 0) break;
    for (const pid of pids) send(pid, 'SIGSTOP');
    for (const pid of pids) send(pid, 'SIGKILL');
    for (const pid of pids) killed.add(pid);
  }
  return killed.size;
}

/** A shim is nobody's child, so one that appears late is found by its command alone. */
function livingOf(installation: Installation): Set<number> {
  const all = allProcesses();
  const roots = all.filter(
    ({ pid, command }) =>
      installation.ownPids.includes(pid) ||
      (command.includes('containerd-shim') && command.includes(installation.stateDirectory)),
  );
  return new Set(roots.flatMap(({ pid }) => [pid, ...descendantsOf(pid, all).map((one) => one.pid)]));
}
