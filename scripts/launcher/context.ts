import type { StartOptions } from './arguments.js';
import type { Cache } from './cache.js';
import type { PortChooser } from './ports.js';
import type { Reporter } from './reporter.js';
import type { Secrets } from './secrets-file.js';
import type { StateDirectory } from './state-directory.js';
import type { Supervisor } from './supervisor.js';

/** What every part of a start works with. It is made once and handed down. */
export interface LaunchContext {
  /** The checkout. */
  readonly root: string;
  readonly state: StateDirectory;
  readonly cache: Cache;
  readonly secrets: Secrets;
  readonly options: StartOptions;
  readonly environment: NodeJS.ProcessEnv;
  readonly reporter: Reporter;
  readonly supervisor: Supervisor;
  readonly ports: PortChooser;
  /** Aborted by Ctrl+C and SIGTERM. */
  readonly signal: AbortSignal;
}

/** The environment of components that need nothing of ours: what programs expect, and none of npm's variables. */
export function plainEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !/^npm_/i.test(name)));
}
