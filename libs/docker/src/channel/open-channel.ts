import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { RunnerChannel } from './runner.channel.js';
import { unreachable } from './runner.errors.js';

const RUNNER_PATH = '/berth/bin/runner';
const OPEN_DEADLINE_MS = 15_000;

/** Opens a channel to the runner of a running container by `docker exec`, which works with any Docker endpoint. */
export async function openRunnerChannel(container: Docker.Container): Promise<RunnerChannel> {
  return await RunnerChannel.open(await withinDeadline(execRunner(container)), 'docker');
}

/**
 * Opens a channel to `runner drain` in a helper container. The stream is that of an attach to all three of its
 * standard streams without a terminal, made before the helper was started.
 */
export async function openDrainChannel(attached: Duplex): Promise<RunnerChannel> {
  return await RunnerChannel.open(attached, 'docker');
}

async function execRunner(container: Docker.Container): Promise<Duplex> {
  try {
    const exec = await container.exec({
      Cmd: [RUNNER_PATH, 'connect'],
      User: '0:0',
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: false,
    });
    return await exec.start({ hijack: true, stdin: true, Tty: false });
  } catch (error) {
    throw unreachable('The runner could not be reached through Docker.', error);
  }
}

/** dockerode has no deadline of its own. A stream that comes too late is destroyed, so that nothing stays open. */
async function withinDeadline(opening: Promise<Duplex>): Promise<Duplex> {
  let late = false;
  const deadline = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => {
      late = true;
      reject(unreachable(`Docker did not open the channel within ${OPEN_DEADLINE_MS} ms.`));
    }, OPEN_DEADLINE_MS);
    void opening.then(
      (stream) => {
        clearTimeout(timer);
        if (late) stream.destroy();
      },
      () => clearTimeout(timer),
    );
  });
  return await Promise.race([opening, deadline]);
}
