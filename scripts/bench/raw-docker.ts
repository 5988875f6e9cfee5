import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import Docker from 'dockerode';

const SANDBOX_LABEL = 'berth.sandbox';
const RESTART_GRACE_SECONDS = 10;
const WORKSPACE = '/workspace';
const GENERATION_LABEL = 'berth.generation';

/** The engine's own exec in the container of a sandbox: what Berth is compared with. */
export class RawDocker {
  private constructor(
    readonly docker: Docker,
    private readonly container: Docker.Container,
  ) {}

  static async open(dockerHost: string, sandboxId: string): Promise<RawDocker> {
    const docker = new Docker(optionsOf(dockerHost));
    const label = [`${SANDBOX_LABEL}=${sandboxId}`, GENERATION_LABEL];
    const [found, ...others] = await docker.listContainers({ filters: { label } });
    if (found === undefined || others.length > 0) {
      throw new Error(
        `Sandbox ${sandboxId} has ${others.length + (found ? 1 : 0)} running containers instead of one.`,
      );
    }
    return new RawDocker(docker, docker.getContainer(found.Id));
  }

  get containerId(): string {
    return this.container.id;
  }

  /** Into the workspace, by the engine's archive API. */
  async putArchive(archive: Buffer): Promise<void> {
    await this.container.putArchive(archive, { path: WORKSPACE });
  }

  /** A file of the workspace, to the end of the archive that it is in. */
  async getArchive(name: string): Promise<void> {
    const stream = await this.container.getArchive({ path: `${WORKSPACE}/${name}` });
    stream.resume();
    await once(stream, 'end');
  }

  /** From create to an inspect that shows the exit code, in milliseconds. */
  async measureTrue(): Promise<number> {
    return await this.measure(['true']);
  }

  /** The same of another command, whose output is dropped. */
  async measure(argv: readonly string[], user?: string): Promise<number> {
    const begunAt = performance.now();
    const exec = await this.container.exec({
      Cmd: [...argv],
      AttachStdout: true,
      AttachStderr: true,
      ...(user === undefined ? {} : { User: user }),
    });
    const stream = await exec.start({ hijack: true, stdin: false });
    stream.resume();
    await once(stream, 'end');
    const { ExitCode } = await exec.inspect();
    const durationMs = performance.now() - begunAt;
    if (ExitCode !== 0) throw new Error(`The raw exec of ${argv[0]} ended with ${String(ExitCode)}.`);
    return durationMs;
  }

  /** A container like this one with volumes of its own, made and started, and of no sandbox: what is done to it is nobody's business. */
  async copy(): Promise<RawCopy> {
    const { Config, HostConfig } = await this.container.inspect();
    const name = `bench-${randomUUID()}`;
    const volumes: string[] = [];
    const mounts = (HostConfig.Mounts ?? []).map((mount) => {
      if (mount.ReadOnly) return mount;
      volumes.push(`${name}-${volumes.length}`);
      return { ...mount, Source: volumes.at(-1) ?? '', VolumeOptions: undefined };
    });
    const body = { ...Config, Labels: {}, HostConfig: { ...HostConfig, Mounts: mounts }, name };
    const begunAt = performance.now();
    const made = await this.docker.createContainer(body as Docker.ContainerCreateOptions);
    await made.start();
    return new RawCopy(this.docker, made, volumes, performance.now() - begunAt);
  }

  /** This machine, as the container reaches it. */
  async gateway(): Promise<string> {
    const { NetworkSettings } = await this.container.inspect();
    const [network] = Object.values(NetworkSettings.Networks);
    if (!network) throw new Error('The container has no network.');
    return network.Gateway;
  }

  /** All output of a command over the attached stream, in milliseconds. The 8-byte headers of the stream are not counted. */
  async measureOutput(argv: readonly string[], bytes: number): Promise<number> {
    const begunAt = performance.now();
    const exec = await this.container.exec({ Cmd: [...argv], AttachStdout: true, AttachStderr: true });
    const stream = await exec.start({ hijack: true, stdin: false });
    let received = 0;
    stream.on('data', (piece: Buffer) => (received += piece.byteLength));
    await once(stream, 'end');
    const durationMs = performance.now() - begunAt;
    if (received < bytes) throw new Error(`The raw stream ended after ${received} of ${bytes} bytes.`);
    return durationMs;
  }
}

/** A container that the engine alone knows. */
export class RawCopy {
  constructor(
    private readonly docker: Docker,
    private readonly container: Docker.Container,
    private readonly volumes: readonly string[],
    /** From create to the answer of start, in milliseconds. */
    readonly createMs: number,
  ) {}

  /** With the grace that Berth gives, in milliseconds. */
  async measureRestart(): Promise<number> {
    const begunAt = performance.now();
    await this.container.restart({ t: RESTART_GRACE_SECONDS });
    return performance.now() - begunAt;
  }

  async remove(): Promise<void> {
    await this.container.remove({ force: true, v: true });
    for (const volume of this.volumes) await this.docker.getVolume(volume).remove();
  }
}

function optionsOf(dockerHost: string): Docker.DockerOptions {
  if (dockerHost.startsWith('unix://')) return { socketPath: dockerHost.slice('unix://'.length) };
  const { hostname, port, protocol } = new URL(dockerHost);
  return { host: hostname, port, protocol: protocol === 'https:' ? 'https' : 'http' };
}
