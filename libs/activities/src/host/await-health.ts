import { Context } from '@temporalio/activity';
import { DomainError, healthAfter, NO_HEALTH, type OperationId, type Sandbox } from '#domain';
import { Backoff } from '../patience.js';
import type { HostActivityPorts } from './host-ports.js';

/** Asks until the sandbox is well. Whoever takes its check away meanwhile takes the condition away. */
export async function awaitHealth(
  { sandboxes, engine, wake }: Pick<HostActivityPorts, 'sandboxes' | 'engine' | 'wake'>,
  operationId: OperationId,
  { id, generation, settingsVersion, healthCheck }: Sandbox,
): Promise<void> {
  if (healthCheck === null) return;
  const giveUpAt = performance.now() + healthCheck.startSeconds * 1_000;
  const backoff = new Backoff();
  for (;;) {
    const outcome = await engine.check({ sandboxId: id, generation }, healthCheck);
    if (outcome.ok) {
      const health = healthAfter(NO_HEALTH, outcome, healthCheck.failuresMax, new Date().toISOString());
      const seen = { generation, settingsVersion, health, restart: null };
      await sandboxes.recordHealth(id, seen, operationId);
      wake.wake(`sandbox:${id}`);
      return;
    }
    if (performance.now() > giveUpAt) {
      const within = `The sandbox was not well within ${healthCheck.startSeconds} s.`;
      throw new DomainError('unhealthy', `${within} Its check: ${outcome.detail}`);
    }
    await backoff.pause(Context.current().cancellationSignal);
  }
}
