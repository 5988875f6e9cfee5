import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { DomainError, type RunnerConnection, type SandboxId } from '#domain';
import { openDrainChannel } from './channel/index.js';
import { drainContainerBody } from './container-body.js';
import type { EngineClient } from './engine-client.js';
import { statusOf } from './engine-errors.js';
import { LABEL, type ResourceNames } from './names.js';

const NONCE_BYTES = 4;
const START_DEADLINE_MS = 30_000;
const REMOVE_DEADLINE_MS = 30_000;
/** One that is older and does not run was left by a process that died before it could start it. */
const ABANDONED_AFTER_SECONDS = 120;

/** Reads spools whose container is dead, by a container that lives only as long as its channel. */
export class Drains {
  constructor(
    private readonly engine: EngineClient,
    private readonly names: ResourceNames,
  ) {}

  /** The spool and the runner's volume must be there. */
  async open(sandboxId: SandboxId, image: string, runnerVolume: string): Promise<RunnerConnection> {
    await this.removeAbandoned(sandboxId);
    const name = this.names.drain(sandboxId, randomBytes(NONCE_BYTES).toString('hex'));
    const body = drainContainerBody(sandboxId, image, { names: this.names, runnerVolume });
    const container = await this.engine.createContainer(name, body);
    try {
      const channel = await openDrainChannel(await this.attachAndStart(container));
      // It removes itself when its standard input closes; this is for an engine that lost sight of it.
      void channel.closed.then(() => this.removeQuietly(container));
      return channel;
    } catch (error) {
      await this.removeQuietly(container);
      throw error;
    }
  }

  /** Every one of a sandbox that is deleted, whatever it does. */
  async removeAll(sandboxId: SandboxId): Promise<void> {
    for (const { Id } of await this.list(sandboxId)) await this.remove(this.engine.docker.getContainer(Id));
  }

  private async attachAndStart(container: Docker.Container): Promise<Duplex> {
    const attached = (await this.engine.call('attach to a container', () =>
      container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true }),
    )) as Duplex;
    try {
      await this.engine.call(
        'start the container that reads the spool',
        (abortSignal) => container.start({ abortSignal }),
        START_DEADLINE_MS,
      );
      return attached;
    } catch (error) {
      attached.destroy();
      if (statusOf(error) === undefined) throw error;
      throw new DomainError('container_failed', 'The spool of the sandbox could not be opened.', {
        cause: error,
      });
    }
  }

  private async removeAbandoned(sandboxId: SandboxId): Promise<void> {
    const found = await this.list(sandboxId, ['created', 'exited', 'dead']);
    const old = (await this.engine.seconds()) - ABANDONED_AFTER_SECONDS;
    for (const { Id, Created } of found) {
      if (Created < old) await this.remove(this.engine.docker.getContainer(Id));
    }
  }

  /** By label, and proved by name. */
  private async list(sandboxId: SandboxId, status?: string[]): Promise<Docker.ContainerInfo[]> {
    const label = [
      `${LABEL.instance}=${this.names.instanceId}`,
      `${LABEL.sandbox}=${sandboxId}`,
      LABEL.drain,
    ];
    const found = await this.engine.call('list containers', (abortSignal) =>
      this.engine.docker.listContainers({
        all: true,
        filters: { label, ...(status === undefined ? {} : { status }) },
        abortSignal,
      }),
    );
    const prefix = `/${this.names.drain(sandboxId, '')}`;
    return found.filter(({ Names }) => Names.some((name) => name.startsWith(prefix)));
  }

  /** What stays behind is found by `removeAbandoned`, so a failure here is no reason to fail what was asked for. */
  private async removeQuietly(container: Docker.Container): Promise<void> {
    await this.remove(container).catch(() => undefined);
  }

  private async remove(container: Docker.Container): Promise<void> {
    try {
      await this.engine.call(
        'remove the container that read the spool',
        (abortSignal) => container.remove({ force: true, v: true, abortSignal }),
        REMOVE_DEADLINE_MS,
      );
    } catch (error) {
      // 404: gone by itself. 409: just going.
      if (statusOf(error) !== 404 && statusOf(error) !== 409) throw error;
    }
  }
}
