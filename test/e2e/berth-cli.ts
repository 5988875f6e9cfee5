import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runningStack, stackSecrets } from '../stack/running-stack.js';

export const BERTH = fileURLToPath(new URL('../../apps/cli/bin/berth.mjs', import.meta.url));

export interface CliRun {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly exitCode: number | null;
}

/** What the command line needs to speak with the stack under test. */
export function cliEnvironment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    BERTH_URL: runningStack().apiUrl,
    BERTH_ADMIN_SECRET: stackSecrets().adminSecret,
    NODE_OPTIONS: '',
  };
}

/** Runs the command line as a person would, against the stack under test, and collects what it wrote. */
export async function berth(...argv: readonly string[]): Promise<CliRun> {
  return await berthReading('', ...argv);
}

/** The same with something on its standard input. */
export async function berthReading(input: string, ...argv: readonly string[]): Promise<CliRun> {
  const child = spawn(process.execPath, [BERTH, ...argv], { env: cliEnvironment(), stdio: 'pipe' });
  child.stdin.on('error', () => undefined).end(input);
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
