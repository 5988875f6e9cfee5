import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { errorText, hasCode, SetupInterrupted } from './setup-problem.js';

const TAIL_LINES = 15;
const STDOUT_BYTES_MAX = 8 * 1024 ** 2;
const STDERR_BYTES_KEPT = 64 * 1024;

export interface ToolOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Where all output goes as well. */
  readonly logPath?: string;
  /** Show the output while it runs. */
  readonly verbose?: boolean;
}

export interface ToolResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A tool ended with another code than 0. */
export class ToolFailure extends Error {
  constructor(
    command: string,
    readonly result: ToolResult,
    logPath: string | undefined,
  ) {
    const tail = `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-TAIL_LINES).join('\n    ');
    const where = logPath === undefined ? '' : ` All of its output: ${logPath}`;
    super(`${command} ended with code ${result.code}.${where}\n    ${tail}`);
    this.name = 'ToolFailure';
  }
}

/** Runs a tool to its end, with a deadline, and returns what it said. Any exit code is a result. */
export async function runTool(
  command: string,
  args: readonly string[],
  options: ToolOptions,
): Promise<ToolResult> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    killSignal: 'SIGTERM',
  });
  const log =
    options.logPath === undefined
      ? undefined
      : createWriteStream(options.logPath, { flags: 'a', mode: 0o600 });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    log?.write(chunk);
    if (options.verbose === true) process.stderr.write(chunk);
    if (stdout.length < STDOUT_BYTES_MAX) stdout += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    log?.write(chunk);
    if (options.verbose === true) process.stderr.write(chunk);
    stderr = (stderr + chunk.toString('utf8')).slice(-STDERR_BYTES_KEPT);
  });
  try {
    const [code, killedBy] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    return {
      code: code ?? 128,
      stdout,
      stderr: killedBy === null ? stderr : `${stderr}\nended by ${killedBy}`,
    };
  } catch (error) {
    if (options.signal?.aborted === true) throw new SetupInterrupted();
    if (deadline.aborted) throw new Error(`${command} took longer than ${options.timeoutMs / 1000} s.`);
    if (hasCode(error, 'ENOENT')) return { code: 127, stdout, stderr: `${command} is not installed` };
    throw new Error(`${command} could not be run: ${errorText(error)}`, { cause: error });
  } finally {
    if (log !== undefined) {
      log.end();
      await finished(log);
    }
  }
}

/** The same, for a tool that has to succeed. */
export async function requireTool(
  command: string,
  args: readonly string[],
  options: ToolOptions,
): Promise<ToolResult> {
  const result = await runTool(command, args, options);
  if (result.code !== 0) throw new ToolFailure(`${command} ${args.join(' ')}`, result, options.logPath);
  return result;
}
