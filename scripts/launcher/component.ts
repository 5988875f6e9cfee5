import type { ComponentName } from './run-file.js';

/** Everything that the supervisor knows of a component. There is no special case for any of them beyond these fields. */
export interface ComponentDescription {
  readonly name: ComponentName;
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly port?: number;
  /** Runs before each start: it clears what an unclean end has left (pidfiles, sockets). */
  readonly prepare?: () => Promise<void> | void;
  /** One look at whether the component answers. A rejection means no, and its text is shown if the answer stays no. */
  readonly probe: () => Promise<void>;
  readonly readyTimeoutMs: number;
  readonly stopSignal: NodeJS.Signals;
  readonly stopTimeoutMs: number;
}

/** A command out of groups of words that belong together. */
export function commandLine(program: string, groups: readonly (readonly string[])[]): [string, ...string[]] {
  return [program, ...groups.flat()];
}
