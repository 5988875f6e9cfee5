import { limits, type Bulk, type Failure } from '#domain';
import type { ControlActivityPorts } from './control-ports.js';

const RUN_VANISHED: Failure = {
  code: 'invalid_state',
  message: 'Its run was ended from outside. Nothing more begins until somebody resumes or cancels it.',
};

/**
 * Wakes the run of a bulk operation of which something was asked that no run has looked at, and pauses one whose run was
 * ended by hand: the new run that it gets ends the items that are under way, and begins no other. Returns how many were woken.
 */
export async function sweepBulks(ports: ControlActivityPorts): Promise<number> {
  const { bulks, runs, log } = ports;
  const unattended = await bulks.listUnattended(limits.SWEEP_START_AFTER_MS, limits.SWEEP_ROWS_MAX);
  for (const bulk of unattended) {
    log.warn({ id: bulk.id }, 'A bulk operation waits for its run, which is woken or started.');
    await runs.wakeBulk(bulk);
  }
  const unverified = await bulks.takeUnverified(limits.SWEEP_VERIFY_AFTER_MS, limits.SWEEP_ROWS_MAX);
  let vanished = 0;
  for (const bulk of unverified) if (await revive(ports, bulk)) vanished += 1;
  return unattended.length + vanished;
}

async function revive({ bulks, runs, log }: ControlActivityPorts, bulk: Bulk): Promise<boolean> {
  const run = await runs.bulkRun(bulk.id);
  if (run === 'running') return false;
  log.warn({ id: bulk.id, run }, 'A bulk operation has no run any more; it is paused and gets a new one.');
  await bulks.control(bulk.id, { control: 'pause', reason: RUN_VANISHED });
  await runs.wakeBulk(bulk);
  return true;
}
