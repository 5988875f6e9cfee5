import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import Docker from 'dockerode';
import { runningStack } from '../../stack/running-stack.js';

const engine = (): Docker => new Docker({ socketPath: runningStack().dockerHost.replace('unix://', '') });

async function containerOf(sandbox: string): Promise<Docker.Container> {
  const [found] = await engine().listContainers({ filters: { label: [`berth.sandbox=${sandbox}`] } });
  if (!found) throw new Error(`No container of sandbox ${sandbox} runs.`);
  return engine().getContainer(found.Id);
}

/** What an operator with Docker could do by hand, and a sandbox only if it had broken out of its user: root inside. */
export async function asRootInside(sandbox: string, script: string): Promise<string> {
  const container = await containerOf(sandbox);
  const exec = await container.exec({
    Cmd: ['sh', '-c', script],
    User: '0',
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({});
  const printed = new PassThrough();
  let text = '';
  printed.on('data', (piece: Buffer) => (text += piece.toString()));
  engine().modem.demuxStream(stream, printed, printed);
  await finished(stream, { writable: false });
  return text;
}

/** Ends the container as the kernel would: its init and everything in it are gone at once. */
export async function killContainer(sandbox: string): Promise<void> {
  await (await containerOf(sandbox)).kill();
}
