import { ApiClient } from '../api/api-client.js';
import { readConfig, type CliConfig, type ConfigFlags } from '../config.js';
import type { ExecContext } from '../exec/run-exec.js';
import type { LocalTerminal } from '../terminal/local-terminal.js';
import type { Terminal } from '../terminal/terminal.js';

export interface GlobalFlags extends ConfigFlags {
  readonly json?: boolean;
}

/** The process as the commands see it: its streams, its signals, its exit code. Tests pass their own. */
export interface Process {
  readonly out: Terminal['out'];
  readonly err: Terminal['err'];
  readonly local: LocalTerminal;
  onInterrupt(listener: () => void): () => void;
}

/** One run of the CLI. What it needs is looked up when a command asks for it, so that `--help` needs nothing. */
export class Session {
  exitCode = 0;

  constructor(
    private readonly process: Process,
    /** What stands after `--` on the command line. */
    readonly remoteArgv: readonly string[],
    private readonly flags: () => GlobalFlags,
  ) {}

  config(): CliConfig {
    return readConfig(this.flags());
  }

  api(): ApiClient {
    return new ApiClient(this.config());
  }

  terminal(): Terminal {
    return { out: this.process.out, err: this.process.err, json: this.flags().json === true };
  }

  execContext(): ExecContext {
    return {
      config: this.config(),
      api: this.api(),
      terminal: this.terminal(),
      local: this.process.local,
      onInterrupt: (listener) => this.process.onInterrupt(listener),
    };
  }

  exitWith(code: number): void {
    this.exitCode = code;
  }
}
