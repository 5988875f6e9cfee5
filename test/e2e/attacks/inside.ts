import { readdirSync, readFileSync } from 'node:fs';
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

export async function inspectionOf(sandbox: string): Promise<object> {
  return await (await containerOf(sandbox)).inspect();
}

/** How many processes and threads there are in a sandbox, and may be, as the kernel counts them. */
export async function processesIn(
  sandbox: string,
): Promise<{ readonly current: number; readonly limit: number }> {
  const { pids_stats: counted } = await (
    await containerOf(sandbox)
  ).stats({ stream: false, 'one-shot': true });
  const { current = 0, limit = Infinity } = counted as { current?: number; limit?: number };
  return { current, limit };
}

/** The machine, as a sandbox reaches it. */
export async function gatewayOf(sandbox: string): Promise<string> {
  const { NetworkSettings } = await (await containerOf(sandbox)).inspect();
  const [network] = Object.values(NetworkSettings.Networks);
  if (!network) throw new Error(`Sandbox ${sandbox} has no network.`);
  return network.Gateway;
}

/** Ends the container as the kernel would: its init and everything in it are gone at once. */
export async function killContainer(sandbox: string): Promise<void> {
  await (await containerOf(sandbox)).kill();
}

/** Of the init of a sandbox and of the supervisors in it, as the host sees them. */
export async function environmentsOfRunners(sandbox: string): Promise<readonly string[]> {
  const { State } = await (await containerOf(sandbox)).inspect();
  const runners = readdirSync('/proc').filter(
    (entry) => entry === String(State.Pid) || parentOf(entry) === State.Pid,
  );
  return runners.flatMap((pid) => readOfProcess(pid, 'environ') ?? []);
}

function parentOf(entry: string): number | undefined {
  if (!/^\d+$/.test(entry)) return undefined;
  return Number(/^PPid:\t(\d+)$/m.exec(readOfProcess(entry, 'status') ?? '')?.[1]);
}

/** Undefined where it has ended since the list was read. */
function readOfProcess(pid: string, file: 'environ' | 'status'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return undefined;
  }
}
