import { constants } from 'node:os';
import type { ExecState } from '#domain';

/** What the process of `berth exec` exits with when the remote command has no exit code of its own. */
export const EXIT_OUTPUT_LIMITED = 123;
/** As timeout(1) does. */
export const EXIT_TIMED_OUT = 124;
/** It may have run; nobody can say how it ended. */
export const EXIT_LOST = 125;
/** As a shell says of what it could not execute. It never ran. */
export const EXIT_NOT_STARTED = 126;
/** As a shell says of a command that is not there. */
export const EXIT_COMMAND_NOT_FOUND = 127;
/** What a program that is ended by SIGPIPE exits with: nobody reads its output any more. */
export const EXIT_OUTPUT_CLOSED = 141;
/** As a shell says of what was ended by an interrupt; also when a second Ctrl+C leaves the exec running. */
export const EXIT_CANCELED = 130;
export const EXIT_OOM_KILLED = 137;
/** This program failed or stopped watching; it says nothing about the remote command. */
export const EXIT_BERTH_FAILED = 255;

const SIGNAL_BASE = 128;
const EXIT_CODE_MAX = 255;

export interface EndedExec {
  readonly state: ExecState;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Why it could not be started, by the runner's record. */
  readonly startFailureCode?: string | undefined;
}

/** The exit code that a shell would have seen, had the command run here. */
export function exitCodeOf(exec: EndedExec): number {
  switch (exec.state) {
    case 'succeeded':
      return 0;
    case 'failed':
      return exec.exitCode ?? codeOfSignal(exec.signal);
    case 'canceled':
      return EXIT_CANCELED;
    case 'timed_out':
      return EXIT_TIMED_OUT;
    case 'output_limited':
      return EXIT_OUTPUT_LIMITED;
    case 'oom_killed':
      return EXIT_OOM_KILLED;
    case 'not_started':
      return exec.startFailureCode === 'command_not_found' ? EXIT_COMMAND_NOT_FOUND : EXIT_NOT_STARTED;
    case 'lost':
      return EXIT_LOST;
    case 'queued':
    case 'starting':
    case 'running':
      return EXIT_BERTH_FAILED;
  }
}

function codeOfSignal(signal: string | null): number {
  const number = (constants.signals as Record<string, number | undefined>)[signal ?? ''];
  return number === undefined ? EXIT_CODE_MAX : SIGNAL_BASE + number;
}
