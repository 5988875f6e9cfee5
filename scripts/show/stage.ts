import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { BerthClient } from '../bench/berth-client.js';
import { RawDocker } from '../bench/raw-docker.js';
import type { RunningInstance } from '../bench/running-instance.js';
import { GIT_HOST } from '../../test/git/git-server.js';

/** Where something is shown. */
export interface Stage {
  /** Of the checkout. */
  readonly root: string;
  readonly instance: RunningInstance;
  readonly client: BerthClient;
  readonly say: (what: string) => void;
}

/** A sandbox that knows the name of the git server on this machine. */
export async function sandboxBeside({ client, instance }: Stage, owner: string): Promise<string> {
  const sandboxId = await client.runningSandbox(owner);
  const raw = await RawDocker.open(instance.dockerHost, sandboxId);
  await raw.measure(['sh', '-c', `echo '${await raw.gateway()} ${GIT_HOST}' >> /etc/hosts`], '0');
  return sandboxId;
}

/** The command line, as a person would use it. */
export async function berth({ root, instance }: Stage, ...argv: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [join(root, 'apps/cli/bin/berth.mjs'), ...argv], {
    env: { ...process.env, BERTH_URL: instance.apiUrl, BERTH_ADMIN_SECRET: instance.adminSecret },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`berth ${argv.join(' ')} ended with ${code}.`);
}

/** What a command writes; throws where it does not succeed, with the end of it. */
export async function printed({ client }: Stage, sandboxId: string, script: string): Promise<string> {
  let text = '';
  const keep = (payload: Buffer): void => void (text += payload.toString());
  try {
    await client.receive(sandboxId, ['sh', '-c', script], keep, COMMAND_MS_MAX);
  } catch (error) {
    throw new Error(`It wrote: ${text.slice(-TOLD_CHARACTERS)}`, { cause: error });
  }
  return text;
}

const COMMAND_MS_MAX = 30 * 60_000;
const TOLD_CHARACTERS = 4_000;

export function expect(what: string, is: unknown, wanted: unknown): void {
  if (JSON.stringify(is) === JSON.stringify(wanted)) return;
  throw new Error(`${what}: ${JSON.stringify(is)} instead of ${JSON.stringify(wanted)}`);
}
