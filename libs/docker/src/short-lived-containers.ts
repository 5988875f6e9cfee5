import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { DomainError, type SandboxId } from '#domain';
import type { EngineClient } from './engine-client.js';
import { statusOf } from './engine-errors.js';
import { LABEL, type ResourceNames } from './names.js';

const NONCE_BYTES = 4;
const START_DEADLINE_MS = 30_000;
const REMOVE_DEADLINE_MS = 30_000;
/** One that is older and does not run was left by a process that died before it could start it. */
const ABANDONED_AFTER_SECONDS = 120;

/** What one of these is for. */
export type ShortLivedPurpose = 'drain' | 'archive';

export interface ShortLivedContainer {
  /** Its three standard streams in Docker's frames. */
  readonly attached: Duplex;
  /** What stays behind is found later, so a failure here is no reason to fail what was asked for. */
  readonly remove: () => Promise<void>;
}

/**
 * Containers of ours beside a sandbox that look at its volumes, have no network and live as long as somebody is attached to
 * them. They remove themselves; what a crash leaves is found by label and proved by name.
 */
export class ShortLivedContainers {
  constructor(
    private readonly engine: EngineClient,
    private readonly names: ResourceNames,
    private readonly purpose: ShortLivedPurpose,
  ) {}

  /** Started and attached to. `what` completes "… could not be opened". */
  async open(
    sandboxId: SandboxId,
    body: Docker.ContainerCreateOptions,
    what: string,
  ): Promise<ShortLivedContainer> {
    await this.removeAbandoned(sandboxId);
    const name = this.names.shortLived(this.purpose, sandboxId, randomBytes(NONCE_BYTES).toString('hex'));
    const container = await this.engine.createContainer(name, body);
    const remove = async (): Promise<void> => await this.remove(container).catch(() => undefined);
    try {
      return { attached: await this.attachAndStart(container, what), remove };
    } catch (error) {
      await remove();
      throw error;
    }
  }

  /** Every one of a sandbox, whatever it does. */
  async removeAll(sandboxId: SandboxId): Promise<void> {
    for (const { Id } of await this.list(sandboxId)) await this.remove(this.engine.docker.getContainer(Id));
  }

  private async attachAndStart(container: Docker.Container, what: string): Promise<Duplex> {
    const attached = (await this.engine.call('attach to a container', () =>
      container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true }),
    )) as Duplex;
    // Whoever reads or writes hears of an error there; a stream that nobody uses just then must not end the process.
    attached.on('error', () => undefined);
    try {
      await this.engine.call(
        `start the container that opens ${what}`,
        (abortSignal) => container.start({ abortSignal }),
        START_DEADLINE_MS,
      );
      return attached;
    } catch (error) {
      attached.destroy();
      if (statusOf(error) === undefined) throw error;
      throw new DomainError('container_failed', `The ${what} of the sandbox could not be opened.`, {
        cause: error,
      });
    }
  }

  private async removeAbandoned(sandboxId: SandboxId): Promise<void> {
    const found = await this.list(sandboxId, ['created', 'exited', 'dead']);
    if (found.length === 0) return;
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
      LABEL[this.purpose],
    ];
    const found = await this.engine.call('list containers', (abortSignal) =>
      this.engine.docker.listContainers({
        all: true,
        filters: { label, ...(status === undefined ? {} : { status }) },
        abortSignal,
      }),
    );
    const prefix = `/${this.names.shortLived(this.purpose, sandboxId, '')}`;
    return found.filter(({ Names }) => Names.some((name) => name.startsWith(prefix)));
  }

  private async remove(container: Docker.Container): Promise<void> {
    try {
      await this.engine.call(
        'remove a short-lived container',
        (abortSignal) => container.remove({ force: true, v: true, abortSignal }),
        REMOVE_DEADLINE_MS,
      );
    } catch (error) {
      // 404: gone by itself. 409: just going, and what it mounts is in use until it is gone.
      if (statusOf(error) === 409) await this.untilGone(container);
      else if (statusOf(error) !== 404) throw error;
    }
  }

  private async untilGone(container: Docker.Container): Promise<void> {
    try {
      await this.engine.call(
        'end a short-lived container',
        (abortSignal) => container.wait({ condition: 'removed', abortSignal }),
        REMOVE_DEADLINE_MS,
      );
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
    }
  }
}
