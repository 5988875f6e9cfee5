import type { RunnerConnection, SandboxId } from '#domain';
import { openDrainChannel } from './channel/index.js';
import { drainContainerBody } from './container-body.js';
import type { EngineClient } from './engine-client.js';
import type { ResourceNames } from './names.js';
import { ShortLivedContainers } from './short-lived-containers.js';

/** Reads spools whose container is dead, by a container that lives only as long as its channel. */
export class Drains {
  private readonly containers: ShortLivedContainers;

  constructor(
    engine: EngineClient,
    private readonly names: ResourceNames,
  ) {
    this.containers = new ShortLivedContainers(engine, names, 'drain');
  }

  /** The spool and the runner's volume must be there. */
  async open(sandboxId: SandboxId, image: string, runnerVolume: string): Promise<RunnerConnection> {
    const body = drainContainerBody(sandboxId, image, { names: this.names, runnerVolume });
    const { attached, remove } = await this.containers.open(sandboxId, body, 'spool');
    try {
      const channel = await openDrainChannel(attached);
      // It removes itself when its standard input closes; this is for an engine that lost sight of it.
      void channel.closed.then(remove);
      return channel;
    } catch (error) {
      await remove();
      throw error;
    }
  }

  /** Every one of a sandbox that is deleted, whatever it does. */
  async removeAll(sandboxId: SandboxId): Promise<void> {
    await this.containers.removeAll(sandboxId);
  }
}
