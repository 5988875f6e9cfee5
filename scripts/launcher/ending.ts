import { pollUntil } from './pause.js';
import { isAlive, signalProcess, type ProcessIdentity } from './process-identity.js';

const LOOK_INTERVAL_MS = 50;
const KILL_TIMEOUT_MS = 5_000;

export type Ending = 'already gone' | 'ended' | 'killed';

/** Ends a recorded process: the signal it understands, a limit, then KILL. Throws when even that leaves it alive. */
export async function endProcess(
  recorded: ProcessIdentity,
  signal: NodeJS.Signals,
  timeoutMs: number,
): Promise<Ending> {
  if (!signalProcess(recorded, signal)) return 'already gone';
  const isGone = (): boolean => !isAlive(recorded);
  if (await pollUntil(isGone, { timeoutMs, intervalMs: LOOK_INTERVAL_MS })) return 'ended';
  signalProcess(recorded, 'SIGKILL');
  if (await pollUntil(isGone, { timeoutMs: KILL_TIMEOUT_MS, intervalMs: LOOK_INTERVAL_MS })) return 'killed';
  throw new Error(`process ${recorded.pid} (${recorded.command}) does not end, not even by SIGKILL`);
}
