import {
  observe,
  type ContainerEngine,
  type ContainerView,
  type HostId,
  type Log,
  type Sandbox,
  type SandboxStore,
  type WakeSender,
} from '#domain';
import { Backoff } from '../patience.js';

export interface SandboxObserverPorts {
  readonly sandboxes: SandboxStore;
  readonly engine: ContainerEngine;
  readonly wake: WakeSender;
  readonly log: Log;
  /** Told after a sandbox was seen to run again: its queue may go on. */
  readonly onRunning: (sandbox: Sandbox) => Promise<void>;
}

/**
 * Writes what the engine shows onto the rows of this host's sandboxes: everything once at the start, then each event. It
 * never changes a container, and it leaves a sandbox alone while an operation holds it.
 */
export class SandboxObserver {
  private readonly stopped = new AbortController();
  private watching: Promise<void> = Promise.resolve();

  constructor(
    private readonly ports: SandboxObserverPorts,
    private readonly hostId: HostId,
  ) {}

  start(): void {
    this.watching = this.watch();
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await this.watching;
  }

  /** Looks at everything after each (re)connection, so that what happened in between is not missed. */
  private async watch(): Promise<void> {
    const { signal } = this.stopped;
    const backoff = new Backoff();
    while (!signal.aborted) {
      try {
        const events = this.ports.engine.watch((view) => void this.observe(view), signal);
        await this.lookAtAll();
        backoff.reset();
        await events;
      } catch (error) {
        if (!signal.aborted)
          this.ports.log.warn({ err: error }, 'Watching the container engine was interrupted.');
      }
      await backoff.pause(signal).catch(() => undefined);
    }
  }

  private async lookAtAll(): Promise<void> {
    const views = await this.ports.engine.list();
    for (const sandbox of await this.ports.sandboxes.listOnHost(this.hostId)) {
      if (sandbox.generation === 0) continue;
      const view = views.find((one) => one.sandboxId === sandbox.id && one.generation === sandbox.generation);
      await this.write(sandbox, view);
    }
  }

  private async observe(view: ContainerView): Promise<void> {
    try {
      const sandbox = await this.ports.sandboxes.get(view.sandboxId);
      if (sandbox.generation === view.generation) await this.write(sandbox, view);
    } catch (error) {
      this.ports.log.warn(
        { err: error, sandboxId: view.sandboxId },
        'An event of the engine was not recorded.',
      );
    }
  }

  private async write(sandbox: Sandbox, view: ContainerView | undefined): Promise<void> {
    const observation = observe(sandbox, view);
    const { observedState } = observation;
    const changed = await this.ports.sandboxes.observeDrift(sandbox.id, {
      ...observation,
      generation: sandbox.generation,
    });
    if (!changed) return;
    this.ports.log.info(
      { sandboxId: sandbox.id, from: sandbox.observedState, to: observedState },
      'A sandbox changed.',
    );
    this.ports.wake.wake(`sandbox:${sandbox.id}`);
    if (observedState === 'running') await this.ports.onRunning(sandbox);
  }
}
