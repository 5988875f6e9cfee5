import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { DomainError } from '#domain';
import { RUNNER_DIRECTORY, RUNNER_PATH, volumeMount } from './container-body.js';
import type { EngineClient } from './engine-client.js';
import { statusOf } from './engine-errors.js';
import { LABEL, type ResourceNames } from './names.js';
import { foreign, type Storage } from './storage.js';
import { readBytes } from './stream-bytes.js';
import { firstFileOf, tarOf } from './tar-file.js';

const EXECUTABLE = 0o755;
const ARCHIVE_DEADLINE_MS = 30_000;
/** A filler works for a second or two; one that is older was left by a process that died. */
const FILLER_AGE_MS_MAX = 60_000;
const TURN_PAUSE_MS = 100;
const TURN_DEADLINE_MS = 2 * FILLER_AGE_MS_MAX;
const TAR_OVERHEAD_BYTES = 4_096;

interface RunnerBinary {
  readonly sha256: string;
  readonly content: Buffer;
}

/**
 * The volume that holds the runner. Its name carries the hash of what is in it, so it is filled once and never changed.
 * A container that is created and never started is the only way into a volume that works with every engine.
 */
export class RunnerVolume {
  private binary: Promise<RunnerBinary> | undefined;
  private filled: Promise<string> | undefined;

  constructor(
    private readonly engine: EngineClient,
    private readonly names: ResourceNames,
    private readonly storage: Storage,
    /** Holds runner-linux-amd64 and runner-linux-arm64. */
    private readonly runnerDir: string,
  ) {}

  /**
   * The name of the volume, filled. `image` may be any image on the host. Its content is verified once per process, its
   * presence each time, because a prune takes volumes that no container uses.
   */
  async ensure(image: string): Promise<string> {
    const known = await this.fillOnce(image);
    if (await this.storage.hasVolume(known)) return known;
    this.filled = undefined;
    return await this.fillOnce(image);
  }

  private async fillOnce(image: string): Promise<string> {
    this.filled ??= this.fillAndVerify(image);
    const filled = this.filled;
    try {
      return await filled;
    } catch (error) {
      if (this.filled === filled) this.filled = undefined;
      throw error;
    }
  }

  private async fillAndVerify(image: string): Promise<string> {
    const binary = await this.readBinary();
    const volume = this.names.runnerVolume(binary.sha256);
    await this.storage.ensureVolume(volume, { [LABEL.kind]: 'runner' });
    const filler = await this.takeTurn(image, volume, binary.sha256);
    try {
      if (await this.holds(filler, binary)) return volume;
      const archive = tarOf([{ name: 'runner', mode: EXECUTABLE, content: binary.content }]);
      await this.engine.call(
        'copy the runner into its volume',
        (abortSignal) => filler.putArchive(archive, { path: RUNNER_DIRECTORY, abortSignal }),
        ARCHIVE_DEADLINE_MS,
      );
      if (await this.holds(filler, binary)) return volume;
    } finally {
      await this.remove(filler);
    }
    throw new DomainError('container_failed', 'The runner could not be put into its volume.', {
      detail: `Volume ${volume} does not hold the runner after it was written.`,
    });
  }

  /** Creates the one container that may fill, after any other process that is at it has finished. */
  private async takeTurn(image: string, volume: string, sha256: string): Promise<Docker.Container> {
    const name = this.names.runnerFiller(sha256);
    const giveUpAt = performance.now() + TURN_DEADLINE_MS;
    for (;;) {
      try {
        return await this.createFiller(name, image, volume);
      } catch (error) {
        if (statusOf(error) !== 409 || performance.now() > giveUpAt) throw error;
      }
      await this.removeAbandoned(name);
      await delay(TURN_PAUSE_MS);
    }
  }

  private async createFiller(name: string, image: string, volume: string): Promise<Docker.Container> {
    const body: Docker.ContainerCreateOptions = {
      Image: image,
      User: '0:0',
      Entrypoint: [RUNNER_PATH, 'version'],
      Cmd: [],
      Labels: { [LABEL.instance]: this.names.instanceId, [LABEL.kind]: 'filler' },
      HostConfig: {
        NetworkMode: 'none',
        Mounts: [
          volumeMount(volume, RUNNER_DIRECTORY, 'writable', { [LABEL.instance]: this.names.instanceId }),
        ],
      },
    };
    return await this.engine.createContainer(name, body);
  }

  private async removeAbandoned(name: string): Promise<void> {
    const container = this.engine.docker.getContainer(name);
    try {
      const { Created, Config, Id } = await this.engine.call('look at the filler', (abortSignal) =>
        container.inspect({ abortSignal }),
      );
      if (!this.names.owns(Config.Labels) || Config.Labels[LABEL.kind] !== 'filler') {
        throw foreign('container', name);
      }
      const age = (await this.engine.seconds()) * 1_000 - Date.parse(Created);
      if (age > FILLER_AGE_MS_MAX) await this.remove(this.engine.docker.getContainer(Id));
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
    }
  }

  private async holds(filler: Docker.Container, { content, sha256 }: RunnerBinary): Promise<boolean> {
    try {
      const stream = await this.engine.call('read the runner volume', (abortSignal) =>
        filler.getArchive({ path: RUNNER_PATH, abortSignal }),
      );
      const archive = await this.engine.call(
        'read the runner volume',
        () => readBytes(stream, content.length + TAR_OVERHEAD_BYTES),
        ARCHIVE_DEADLINE_MS,
      );
      const found = firstFileOf(archive);
      return found !== undefined && sha256Of(found) === sha256;
    } catch (error) {
      if (statusOf(error) === 404 || error instanceof RangeError) return false;
      throw error;
    }
  }

  private async remove(filler: Docker.Container): Promise<void> {
    try {
      await this.engine.call('remove the filler', (abortSignal) =>
        filler.remove({ force: true, v: true, abortSignal }),
      );
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
    }
  }

  private async readBinary(): Promise<RunnerBinary> {
    this.binary ??= this.readBinaryOnce();
    try {
      return await this.binary;
    } catch (error) {
      this.binary = undefined;
      throw error;
    }
  }

  private async readBinaryOnce(): Promise<RunnerBinary> {
    const { architecture } = await this.engine.readFacts();
    const path = join(this.runnerDir, `runner-linux-${architecture}`);
    try {
      const content = await readFile(path);
      return { content, sha256: sha256Of(content) };
    } catch (error) {
      throw new DomainError('container_failed', `There is no runner for a host of type ${architecture}.`, {
        cause: error,
        detail: `${path} could not be read. Build the runner for that architecture.`,
      });
    }
  }
}

function sha256Of(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
