import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';
import Docker from 'dockerode';
import { engineAddress } from '../engine-address.js';
import { tarOf } from '../tar-file.js';
import { openDrainChannel, openRunnerChannel } from './open-channel.js';
import type { RunnerChannel } from './runner.channel.js';

const RUNNER_SOURCES = resolve(import.meta.dirname, '../../../../runner');
const BUILD_TIMEOUT_MS = 180_000;
const VOLUME_PATHS = { runner: '/berth/bin', spool: '/berth/spool', workspace: '/workspace' } as const;
const CAPABILITIES = ['SETUID', 'SETGID', 'KILL', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER'];

/** Builds the runner of the checkout for the machine of the tests. */
export async function buildRunner(program = 'runner'): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-runner-'));
  try {
    const path = join(folder, program);
    const build = ['go', 'build', '-trimpath', '-ldflags', '-s -w', '-o', path, `./cmd/${program}`];
    await promisify(execFile)('env', ['CGO_ENABLED=0', 'GOOS=linux', ...build], {
      cwd: RUNNER_SOURCES,
      timeout: BUILD_TIMEOUT_MS,
    });
    return await readFile(path);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A hardened container with the runner as its init and volumes of its own, made without the engine adapter. */
export class TestingContainer {
  private readonly volumes: Readonly<Record<keyof typeof VOLUME_PATHS, string>>;
  private readonly channels: RunnerChannel[] = [];
  private container: Docker.Container | undefined;
  private readonly docker: Docker;

  constructor(
    dockerHost: string,
    private readonly image: string,
  ) {
    this.docker = new Docker(engineAddress(dockerHost));
    const name = `berth-test-channel-${randomUUID()}`;
    this.volumes = { runner: `${name}-bin`, spool: `${name}-spool`, workspace: `${name}-workspace` };
  }

  get engine(): Docker.Container {
    if (this.container === undefined) throw new TypeError('The container has not been created.');
    return this.container;
  }

  async run(runner: Buffer, host: Docker.HostConfig = {}): Promise<void> {
    const seed = await this.create(['true'], {}, ['runner']);
    await seed.putArchive(tarOf([{ name: 'runner', mode: 0o755, content: runner }]), {
      path: VOLUME_PATHS.runner,
    });
    await seed.remove();
    this.container = await this.create(['/berth/bin/runner', 'init'], host, ['runner', 'spool', 'workspace']);
    await this.container.start();
  }

  async channel(): Promise<RunnerChannel> {
    const channel = await openRunnerChannel(this.engine);
    this.channels.push(channel);
    return channel;
  }

  async drain(): Promise<RunnerChannel> {
    const command = ['/berth/bin/runner', 'drain', VOLUME_PATHS.spool];
    const helper = await this.create(command, { NetworkMode: 'none', AutoRemove: true }, ['runner', 'spool']);
    const attached = await helper.attach({
      stream: true,
      stdin: true,
      stdout: true,
      stderr: true,
      hijack: true,
    });
    await helper.start();
    const channel = await openDrainChannel(attached as Duplex);
    this.channels.push(channel);
    return channel;
  }

  async remove(): Promise<void> {
    await Promise.all(this.channels.map(async (channel) => channel.close()));
    await this.container?.remove({ force: true, v: true });
    for (const volume of Object.values(this.volumes)) await this.removeVolume(volume);
  }

  /** A helper that has just ended may hold a volume for a moment. */
  private async removeVolume(volume: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.docker.getVolume(volume).remove();
        return;
      } catch (error) {
        if (attempt === 20) throw error;
        await new Promise((wake) => setTimeout(wake, 50 * attempt));
      }
    }
  }

  private async create(
    command: string[],
    host: Docker.HostConfig,
    volumes: (keyof typeof VOLUME_PATHS)[],
  ): Promise<Docker.Container> {
    return await this.docker.createContainer({
      Image: this.image,
      Entrypoint: command,
      Cmd: [],
      User: '0:0',
      Env: ['BERTH_EXEC_USER=1000'],
      OpenStdin: command.includes('drain'),
      StdinOnce: true,
      HostConfig: {
        Mounts: volumes.map((name) => ({
          Type: 'volume',
          Source: this.volumes[name],
          Target: VOLUME_PATHS[name],
          ReadOnly: (name === 'runner' && command.includes('init')) || command.includes('drain'),
        })),
        CapDrop: ['ALL'],
        CapAdd: CAPABILITIES,
        SecurityOpt: ['no-new-privileges'],
        NetworkMode: 'none',
        PidsLimit: 256,
        ...host,
      },
    });
  }
}
