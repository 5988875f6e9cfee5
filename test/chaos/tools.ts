import { execFileSync } from 'node:child_process';

const TOOL_TIMEOUT_MS = 10_000;

/** Runs a program of the system and gives what it says. */
export function run(command: string, args: readonly string[]): string {
  return execFileSync(command, args, {
    encoding: 'utf8',
    timeout: TOOL_TIMEOUT_MS,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** False where it is not there, or fails. */
export function works(command: string, args: readonly string[]): boolean {
  try {
    run(command, args);
    return true;
  } catch {
    return false;
  }
}
