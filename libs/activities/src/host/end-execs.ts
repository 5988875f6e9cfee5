import { limits, type Sandbox } from '#domain';
import { Backoff } from '../patience.js';
import type { HostActivityPorts } from './host-ports.js';

type EndExecsPorts = Pick<HostActivityPorts, 'execs' | 'engine'>;

/**
 * Returns when nothing of any exec runs in the sandbox, whose workspace is about to be read. Nothing new is claimed
 * meanwhile: the sandbox is held. What the execs have left in the spool is for the drain.
 */
export async function endExecs(
  { execs, engine }: EndExecsPorts,
  { id, generation }: Sandbox,
  signal: AbortSignal,
): Promise<void> {
  const backoff = new Backoff();
  for (;;) {
    const claimed = (await execs.listUnended(id)).filter(({ state }) => state !== 'queued');
    if (claimed.length === 0) return;
    // A container that is down or paused writes nothing, and the stop that follows takes it as it is.
    const { state } = await engine.inspect({ sandboxId: id, generation });
    if (state !== 'running') return;
    const runner = await engine.connect({ sandboxId: id, generation });
    const statuses = await Promise.all(claimed.map((exec) => runner.status(exec.id)));
    const known = statuses.filter((status) => status.state !== 'unknown');
    await Promise.all(known.map(({ execId }) => runner.endForStop(execId, limits.EXEC_STOP_GRACE_MS)));
    if (known.length === claimed.length) return;
    // The others have been claimed on their rows and are just being started: ended before that, they would never have run.
    await backoff.pause(signal);
  }
}
