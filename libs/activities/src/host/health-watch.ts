import { setTimeout as delay } from 'node:timers/promises';
import {
  healthAfter,
  isDomainError,
  limits,
  planRestart,
  type ContainerEngine,
  type HostId,
  type Log,
  type Sandbox,
  type SandboxStore,
  type WakeSender,
} from '#domain';

export interface HealthWatchPorts {
  readonly sandboxes: Pick<SandboxStore, 'takeDueChecks' | 'recordHealth'>;
  readonly engine: Pick<ContainerEngine, 'check'>;
  readonly wake: WakeSender;
  readonly log: Log;
}

/**
 * Asks the running sandboxes of this host that have a check, each at its own interval, and writes what is new onto their
 * rows. It acts on nothing: a sandbox that is not well gets a restart that is due, if its policy says so. When the next
 * check is due is on the row, so two workers of a host ask once.
 */
export class HealthWatch {
  private readonly stopped = new AbortController();
  private watching: Promise<void> = Promise.resolve();

  constructor(
    private readonly ports: HealthWatchPorts,
    private readonly hostId: HostId,
  ) {}

  start(): void {
    this.watching = this.watch();
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await this.watching;
  }

  /** One look; returns how many were asked. */
  async look(): Promise<number> {
    const due = await this.ports.sandboxes.takeDueChecks(this.hostId, limits.HEALTH_CHECKS_AT_ONCE_MAX);
    await Promise.all(due.map((sandbox) => this.ask(sandbox)));
    return due.length;
  }

  private async watch(): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      try {
        // Where many are due the next ones are not kept waiting.
        while ((await this.look()) === limits.HEALTH_CHECKS_AT_ONCE_MAX) signal.throwIfAborted();
      } catch (error) {
        if (!signal.aborted) this.ports.log.warn({ err: error }, 'A look for due health checks failed.');
      }
      await delay(limits.HEALTH_LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private async ask(sandbox: Sandbox): Promise<void> {
    const { id, generation, settingsVersion, healthCheck, health } = sandbox;
    if (healthCheck === null) return;
    const { sandboxes, engine, wake, log } = this.ports;
    try {
      const outcome = await engine.check({ sandboxId: id, generation }, healthCheck);
      const after = healthAfter(health, outcome, healthCheck.failuresMax, new Date().toISOString());
      if (after === health) return;
      const turned = after.status === 'unhealthy' && health.status !== 'unhealthy';
      const plan = turned ? { restart: planRestart(sandbox, 'unhealthy') } : dueStill(after.status);
      const seen = { generation, settingsVersion, health: after, ...plan };
      if (!(await sandboxes.recordHealth(id, seen, null))) return;
      if (after.status !== health.status)
        log.info(
          { sandboxId: id, from: health.status, to: after.status },
          'The health of a sandbox changed.',
        );
      wake.wake(`sandbox:${id}`);
    } catch (error) {
      // It could not be asked, which says nothing about it: what has ended is told by the engine's events.
      const isExpected = isDomainError(error);
      log[isExpected ? 'info' : 'warn'](
        { err: error, sandboxId: id },
        'A sandbox could not be asked how it is.',
      );
    }
  }
}

/** One that is well again needs no restart any more. */
const dueStill = (status: string): { restart?: null } => (status === 'unhealthy' ? {} : { restart: null });
