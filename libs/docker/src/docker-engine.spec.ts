import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostId, sandboxId, type SandboxRef } from '#domain';
import { DockerEngine } from './docker-engine.js';
import { ResourceNames } from './names.js';

const CONTAINERD_IS_AWAY =
  'connection error: desc = "transport: error while dialing: dial unix containerd.sock: connect: connection refused"';
const NO_SUCH_RUNTIME = 'OCI runtime exec failed: exec failed: unable to start container process: unknown';

const sandbox: SandboxRef = { sandboxId: sandboxId(randomUUID()), generation: 1 };
const names = new ResourceNames('test');
let directory: string;
let server: Server | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-engine-'));
});
afterEach(async () => {
  await new Promise((closed) => server?.close(closed));
  rmSync(directory, { recursive: true });
});

/** An engine that shows a running container and does to every other request what a test says. */
async function engineThat(refuses: (path: string) => string | undefined): Promise<DockerEngine> {
  const labels = {
    'berth.instance': 'test',
    'berth.sandbox': sandbox.sandboxId,
    'berth.generation': String(sandbox.generation),
  };
  const State = { Status: 'running', Running: true, Paused: false, ExitCode: 0, OOMKilled: false };
  server = createServer((request, response) => {
    const path = request.url ?? '';
    const refusal = refuses(path);
    response.statusCode = refusal === undefined ? 200 : 500;
    response.setHeader('content-type', 'application/json');
    const inspected = { Id: 'c1', Name: `/${names.container(sandbox)}`, Config: { Labels: labels }, State };
    const body = path.endsWith('/json') ? inspected : { Titles: [], Processes: [] };
    response.end(JSON.stringify(refusal === undefined ? body : { message: refusal }));
  });
  const socket = join(directory, 'docker.sock');
  await new Promise<void>((listening) => server?.listen(socket, listening));
  return new DockerEngine({
    instanceId: 'test',
    hostId: hostId('test'),
    dockerHost: `unix://${socket}`,
    runnerDir: directory,
    baseImage: 'none',
  });
}

describe('a runner that cannot be reached', () => {
  it('is no silent one while the engine answers and has lost containerd', async () => {
    const engine = await engineThat((path) =>
      path.endsWith('/exec') || path.includes('/top') ? CONTAINERD_IS_AWAY : undefined,
    );
    await expect(engine.connect(sandbox)).rejects.toMatchObject({
      code: 'dependency_unavailable',
      dependency: 'docker',
    });
  });

  it('is a silent one where the engine sees its container', async () => {
    const engine = await engineThat((path) => (path.endsWith('/exec') ? NO_SUCH_RUNTIME : undefined));
    await expect(engine.connect(sandbox)).rejects.toMatchObject({ code: 'runner_unreachable' });
  });
});
