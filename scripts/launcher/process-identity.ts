import { readFileSync } from 'node:fs';
import { hasCode } from './setup-problem.js';

/** What run.json remembers of a process: enough to know it again, and to never mistake another one for it. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks between the machine's boot and the start of the process. */
  readonly startTime: string;
  /** The command as it was given to the system, words joined by a space. */
  readonly command: string;
}

export interface ObservedProcess {
  readonly startTime: string;
  readonly state: string;
  readonly threads: number;
  readonly command: string;
}

/** The start time stands after the command's name, which may itself hold spaces and parentheses. */
export function parseProcStat(
  stat: string,
): { state: string; threads: number; startTime: string } | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startTime = fields[19];
  if (state === undefined || startTime === undefined) return undefined;
  return { state, threads: Number(fields[17]), startTime };
}

export function observeProcess(pid: number): ObservedProcess | undefined {
  try {
    const stat = parseProcStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    if (stat === undefined) return undefined;
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '').replaceAll('\0', ' ');
    return { ...stat, command };
  } catch (error) {
    // ESRCH: the process ended between the opening of the file and the reading.
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return undefined;
    throw error;
  }
}

export function identify(pid: number, command: string): ProcessIdentity | undefined {
  const observed = observeProcess(pid);
  return observed === undefined ? undefined : { pid, startTime: observed.startTime, command };
}

/**
 * Whether the observed process is the one that was recorded. A wrapper that replaces itself (unshare, nice, setpriv) leaves the end
 * of its own command line, hence the comparison by suffix. A process that is just ending has lost its command line but still holds
 * its ports and files; only as a zombie without living threads does it count as gone.
 */
export function matchesIdentity(recorded: ProcessIdentity, observed: ObservedProcess | undefined): boolean {
  if (observed === undefined || isDead(observed)) return false;
  if (observed.startTime !== recorded.startTime) return false;
  if (observed.command === '') return true;
  return recorded.command === observed.command || recorded.command.endsWith(` ${observed.command}`);
}

export function isAlive(recorded: ProcessIdentity): boolean {
  return matchesIdentity(recorded, observeProcess(recorded.pid));
}

/** Sends a signal, but only to the very process that was recorded. Returns whether it was sent. */
export function signalProcess(recorded: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(recorded)) return false;
  try {
    process.kill(recorded.pid, signal);
    return true;
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false;
    throw error;
  }
}

/** The first thread of a process can be a zombie while others still end, and hold its ports. */
function isDead({ state, threads }: ObservedProcess): boolean {
  return (state === 'Z' || state === 'X' || state === 'x') && threads <= 1;
}
