import { Context } from '@temporalio/activity';
import type { SealingActivities } from '../contract.js';
import { translated } from '../failures.js';
import { withHeartbeat } from '../heartbeat.js';
import { SealPass, type SealPorts } from './seal-pass.js';

export function createSealingActivities(ports: SealPorts): SealingActivities {
  return translated<SealingActivities>({
    async sealOutput() {
      const pass = new SealPass(ports, Context.current().cancellationSignal);
      return await withHeartbeat(() => pass.run());
    },
  });
}
