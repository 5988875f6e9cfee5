import { CancelledFailure, Context } from '@temporalio/activity';
import type { ExecStore, HostId } from '#domain';
import type { ExecActivities } from '../contract.js';
import { translated } from '../failures.js';
import { withHeartbeat } from '../heartbeat.js';
import type { ExecSupervisor } from './exec-supervisor.js';

export interface ExecActivityPorts {
  readonly execs: ExecStore;
  readonly supervisor: ExecSupervisor;
}

export function createExecActivities(ports: ExecActivityPorts, hostId: HostId): ExecActivities {
  return translated<ExecActivities>({
    async runExec({ execId }) {
      const claim = await ports.execs.claim(execId, hostId);
      if (claim.kind === 'wait') {
        ports.supervisor.noteWaiting(execId);
        return { kind: 'waiting', because: claim.because };
      }
      if (claim.kind === 'ended') {
        return { kind: 'ended', state: claim.exec.state, exitCode: claim.exec.exitCode };
      }
      const supervision = ports.supervisor.join(claim.exec);
      await withHeartbeat(
        () => Promise.race([supervision.ended, attemptGivenUp()]),
        () => ({ position: supervision.position }),
      );
      const { state, exitCode } = await ports.execs.get(execId);
      return { kind: 'ended', state, exitCode };
    },
  });
}

/**
 * Rejects when this attempt is over for whatever reason: shutdown, timeout, reset. None of them is a wish of the user, so
 * the command and its supervision go on; a cancel comes as an Activity of its own.
 */
async function attemptGivenUp(): Promise<never> {
  try {
    return await Context.current().cancelled;
  } catch (error) {
    throw error instanceof CancelledFailure ? error : new CancelledFailure('The attempt is over.');
  }
}
