import { Context } from '@temporalio/activity';
import type { RetentionActivities } from '../contract.js';
import { translated } from '../failures.js';
import { withHeartbeat } from '../heartbeat.js';
import { retentionPass, type RetentionPorts } from './retention-pass.js';

export function createRetentionActivities(ports: RetentionPorts): RetentionActivities {
  return translated<RetentionActivities>({
    async applyRetention({ after }) {
      const signal = Context.current().cancellationSignal;
      return await withHeartbeat(() => retentionPass(ports, after, signal));
    },
  });
}
