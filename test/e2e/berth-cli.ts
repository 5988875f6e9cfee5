import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runningStack, stackSecrets } from '../stack/running-stack.js';

const BERTH = fileURLToPath(new URL('../../apps/cli/bin/berth.mjs', import.meta.url));

export interface CliRun {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly exitCode: number | null;
}

/** Runs the command line as a person would, against the stack under test, and collects what it wrote. */
export async function berth(...argv: readonly string[]): Promise<CliRun> {
  const { apiUrl } = runningStack();
  const child = spawn(process.execPath, [BERTH, ...argv], {
    env: {
      ...process.env,
      BERTH_URL: apiUrl,
      BERTH_ADMIN_SECRET: stackSecrets().adminSecret,
      NODE_OPTIONS: '',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const collect = async (stream: AsyncIterable<Uint8Array>): Promise<Buffer> => {
    const pieces: Uint8Array[] = [];
    for await (const piece of stream) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code));
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    collect(child.stdout),
    collect(child.stderr),
    exited,
  ]);
  return { stdout, stderr, exitCode };
}
