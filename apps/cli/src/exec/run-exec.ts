import type { ApiClient } from '../api/api-client.js';
import { ExecSchema, SandboxCreatedSchema, type ExecResource } from '../api/resources.js';
import { defaultOwner, type CliConfig } from '../config.js';
import { streamExec, type StreamEvent } from '../stream/exec-stream.js';
import type { LocalTerminal } from '../terminal/local-terminal.js';
import { note, OutputClosedError, write, type Terminal } from '../terminal/terminal.js';
import type { EndMessage } from '../stream/exec-socket.js';
import { checkTarget, execBodyOf, type ExecOptions } from './exec-request.js';
import { EXIT_BERTH_FAILED, EXIT_CANCELED, exitCodeOf } from './exit-code.js';

export interface ExecContext {
  readonly config: CliConfig;
  readonly api: ApiClient;
  readonly terminal: Terminal;
  readonly local: LocalTerminal;
  /** Calls back on every Ctrl+C until the returned function is called. */
  onInterrupt(listener: () => void): () => void;
}

/** Starts the exec that the command line describes, in the sandbox that it names; its sandbox is started if need be. */
export async function startExec(
  context: ExecContext,
  options: ExecOptions,
  argv: readonly string[],
): Promise<ExecResource> {
  checkTarget(options);
  const body = execBodyOf(options, argv, context.local.size());
  const sandboxId = options.sandbox ?? (await ensureSandbox(context, options));
  return await context.api.post(`/v1/sandboxes/${encodeURIComponent(sandboxId)}/execs`, body, ExecSchema);
}

async function ensureSandbox(context: ExecContext, options: ExecOptions): Promise<string> {
  const wanted = {
    owner: options.owner ?? defaultOwner(),
    ...(options.name === undefined ? {} : { name: options.name }),
  };
  const { sandbox, operation } = await context.api.post('/v1/sandboxes', wanted, SandboxCreatedSchema);
  if (operation !== null) note(context.terminal, `starting sandbox ${sandbox.name} of ${sandbox.owner}`);
  return sandbox.id;
}

/** What the first Ctrl+C does, and the end of a reader. Who only looks on must not end what somebody else started. */
export type InterruptMode = 'cancel' | 'detach';

/** Streams the exec to its end and returns the exit code for this process. */
export async function followExec(context: ExecContext, execId: string, mode: InterruptMode): Promise<number> {
  const detached = new AbortController();
  const interrupts = new Interrupts(context, execId, mode, detached);
  try {
    for await (const event of streamExec({ config: context.config, execId, signal: detached.signal })) {
      if (event.kind === 'end') return exitOf(context.terminal, execId, event.end);
      await pass(context.terminal, event);
    }
    return EXIT_BERTH_FAILED;
  } catch (error) {
    if (error instanceof OutputClosedError && mode === 'cancel') await interrupts.cancel();
    if (!detached.signal.aborted) throw error;
    note(context.terminal, `stopped watching exec ${execId}; later: berth exec output ${execId} --follow`);
    return EXIT_CANCELED;
  } finally {
    interrupts.stop();
  }
}

async function pass(terminal: Terminal, event: Exclude<StreamEvent, { kind: 'end' }>): Promise<void> {
  switch (event.kind) {
    case 'output':
      return await write(event.stream === 'stderr' ? terminal.err : terminal.out, event.bytes);
    case 'outage':
      return note(terminal, `${event.reason} The exec goes on, waiting`);
    case 'disconnected':
      return note(terminal, `the connection is lost (${event.reason}); the exec goes on, reconnecting`);
    case 'reconnected':
      return note(terminal, `reconnected at position ${event.position}`);
    case 'state':
      return;
  }
}

/** What this process exits with after that end, which is explained where the exit code does not. */
export function exitOf(terminal: Terminal, execId: string, end: EndMessage): number {
  const startFailureCode = end.exec?.exitRecord?.startFailure?.code;
  const exitCode = exitCodeOf({ ...end, state: end.state as ExecResource['state'], startFailureCode });
  const speaksForItself = end.state === 'succeeded' || (end.state === 'failed' && end.exitCode !== null);
  if (!speaksForItself) {
    const why = end.exec?.failure?.message ?? end.signal ?? '';
    note(terminal, `exec ${execId} ended as ${end.state}${why === '' ? '' : ` (${why})`}`);
  }
  return exitCode;
}

/** The first Ctrl+C cancels the exec and waits for its verified end, the second leaves it to itself. */
class Interrupts {
  readonly stop: () => void;
  private count = 0;

  constructor(
    private readonly context: ExecContext,
    private readonly execId: string,
    private readonly mode: InterruptMode,
    private readonly detached: AbortController,
  ) {
    this.stop = context.onInterrupt(() => this.interrupt());
  }

  private interrupt(): void {
    this.count += 1;
    if (this.mode === 'detach' || this.count > 1) {
      this.detached.abort();
      return;
    }
    note(this.context.terminal, `canceling exec ${this.execId}; Ctrl+C again stops watching it`);
    void this.cancel();
  }

  async cancel(): Promise<void> {
    const { api, terminal } = this.context;
    try {
      await api.post(`/v1/execs/${this.execId}/cancel`, undefined, ExecSchema, this.detached.signal);
    } catch (error) {
      if (this.detached.signal.aborted) return;
      note(terminal, `cancel was not accepted: ${error instanceof Error ? error.message : String(error)}`);
      // So that the next Ctrl+C tries again instead of detaching.
      this.count = 0;
    }
  }
}
