import { once } from 'node:events';
import Docker from 'dockerode';

const SANDBOX_LABEL = 'berth.sandbox';
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

  /** From create to an inspect that shows the exit code, in milliseconds. */
  async measureTrue(): Promise<number> {
    const begunAt = performance.now();
    const exec = await this.container.exec({ Cmd: ['true'], AttachStdout: true, AttachStderr: true });
    const stream = await exec.start({ hijack: true, stdin: false });
    stream.resume();
    await once(stream, 'end');
    const { ExitCode } = await exec.inspect();
    const durationMs = performance.now() - begunAt;
    if (ExitCode !== 0) throw new Error(`The raw exec of \`true\` ended with ${String(ExitCode)}.`);
    return durationMs;
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

function optionsOf(dockerHost: string): Docker.DockerOptions {
  if (dockerHost.startsWith('unix://')) return { socketPath: dockerHost.slice('unix://'.length) };
  const { hostname, port, protocol } = new URL(dockerHost);
  return { host: hostname, port, protocol: protocol === 'https:' ? 'https' : 'http' };
}
