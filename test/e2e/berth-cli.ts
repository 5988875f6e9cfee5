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
  return await beginBerth(input, ...argv).end;
}

export interface BegunCli {
  /** How much it has written so far. */
  readonly stdoutBytes: () => number;
  readonly end: Promise<CliRun>;
}

/** The same, not waited for. */
export function beginBerth(input: string, ...argv: readonly string[]): BegunCli {
  const child = spawn(process.execPath, [BERTH, ...argv], { env: cliEnvironment(), stdio: 'pipe' });
  child.stdin.on('error', () => undefined).end(input);
  const written: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (piece: Buffer) => written[name].push(piece));
  const end = new Promise<CliRun>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) =>
      resolve({ stdout: Buffer.concat(written.stdout), stderr: Buffer.concat(written.stderr), exitCode }),
    );
  });
  const stdoutBytes = (): number => written.stdout.reduce((sum, piece) => sum + piece.byteLength, 0);
  return { stdoutBytes, end };
}
