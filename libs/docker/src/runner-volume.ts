import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { DomainError } from '#domain';
import { PROGRAMS, RUNNER_DIRECTORY, RUNNER_PATH, volumeMount, type Program } from './container-body.js';
import type { EngineClient } from './engine-client.js';
import { statusOf } from './engine-errors.js';
import { LABEL, type ResourceNames } from './names.js';
import { foreign, type Storage } from './storage.js';
import { readBytes } from './stream-bytes.js';
import { firstFileOf, tarOf } from './tar-file.js';

const ARCHIVE_DEADLINE_MS = 30_000;
/** A filler works for a second or two; one that is older was left by a process that died. */
const FILLER_AGE_MS_MAX = 60_000;
const TURN_PAUSE_MS = 100;
const TURN_DEADLINE_MS = 2 * FILLER_AGE_MS_MAX;
const TAR_OVERHEAD_BYTES = 4_096;

interface ProgramFile extends Program {
  readonly content: Buffer;
}

interface Programs {
  /** Of all of them together. */
  readonly sha256: string;
  readonly files: readonly ProgramFile[];
}

/**
 * The volume that holds the runner and what it starts for the host. Its name carries the hash of what is in it, so it is filled once and never changed.
 * A container that is created and never started is the only way into a volume that works with every engine.
 */
export class RunnerVolume {
  private programs: Promise<Programs> | undefined;
  private filled: Promise<string> | undefined;

  constructor(
    private readonly engine: EngineClient,
    private readonly names: ResourceNames,
    private readonly storage: Storage,
    /** Holds {program}-linux-amd64 and {program}-linux-arm64 of each. */
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
    const programs = await this.readPrograms();
    const volume = this.names.runnerVolume(programs.sha256);
    await this.storage.ensureVolume(volume, { [LABEL.kind]: 'runner' });
    const filler = await this.takeTurn(image, volume, programs.sha256);
    try {
      if (await this.holds(filler, programs)) return volume;
      const archive = tarOf(programs.files);
      await this.engine.call(
        'copy the runner into its volume',
        (abortSignal) => filler.putArchive(archive, { path: RUNNER_DIRECTORY, abortSignal }),
        ARCHIVE_DEADLINE_MS,
      );
      if (await this.holds(filler, programs)) return volume;
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

  private async holds(filler: Docker.Container, { files }: Programs): Promise<boolean> {
    for (const file of files) if (!(await this.holdsFile(filler, file))) return false;
    return true;
  }

  private async holdsFile(filler: Docker.Container, { name, content }: ProgramFile): Promise<boolean> {
    try {
      const stream = await this.engine.call('read the runner volume', (abortSignal) =>
        filler.getArchive({ path: `${RUNNER_DIRECTORY}/${name}`, abortSignal }),
      );
      const archive = await this.engine.call(
        'read the runner volume',
        () => readBytes(stream, content.length + TAR_OVERHEAD_BYTES),
        ARCHIVE_DEADLINE_MS,
      );
      return firstFileOf(archive)?.equals(content) === true;
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

  private async readPrograms(): Promise<Programs> {
    this.programs ??= this.readProgramsOnce();
    try {
      return await this.programs;
    } catch (error) {
      this.programs = undefined;
      throw error;
    }
  }

  private async readProgramsOnce(): Promise<Programs> {
    const { architecture } = await this.engine.readFacts();
    const hash = createHash('sha256');
    const files: ProgramFile[] = [];
    for (const program of PROGRAMS) {
      const content = await this.readProgram(program, architecture);
      hash.update(content);
      files.push({ ...program, content });
    }
    return { sha256: hash.digest('hex'), files };
  }

  private async readProgram({ name }: Program, architecture: string): Promise<Buffer> {
    const path = join(this.runnerDir, `${name}-linux-${architecture}`);
    try {
      return await readFile(path);
    } catch (error) {
      throw new DomainError('container_failed', `There is no ${name} for a host of type ${architecture}.`, {
        cause: error,
        detail: `${path} could not be read. Build it for that architecture.`,
      });
    }
  }
}
