import type { InputPiece, InputResult, Resize, ResizeState, SendableSignal } from '../exec-input.js';
import type { ExecId, HostId, SandboxId } from '../ids.js';
import type { SandboxFiles } from './sandbox-files.port.js';
import type { Chunk } from './stores.port.js';

/**
 * The API's way to a host, beside Temporal: for what must be quick. Everything but the hint is answered, and throws
 * `dependency_unavailable` (host) where the host does not answer: then it may have happened or not.
 */
export interface HostLink {
  /** Tells the host that this exec may be claimed now. Never throws and is never waited for: the exec's run does the same. */
  hint(host: HostId, exec: ExecId): void;
  writeStdin(host: HostId, exec: ExecId, piece: InputPiece): Promise<InputResult>;
  signal(host: HostId, exec: ExecId, signal: SendableSignal): Promise<number>;
  resize(host: HostId, exec: ExecId, resize: Resize): Promise<ResizeState>;
  /** Looks at a repository, or does what is done there at once, in the words of docs/GIT.md. What comes is the sandbox's word. */
  git(host: HostId, sandbox: SandboxId, request: GitLook): Promise<object>;
  /** The files of the sandboxes of one host. */
  files(host: HostId): SandboxFiles;
  /**
   * Committed output from now on, as soon as it is committed, each chunk continuing the one before. It is over when the
   * exec has ended, when the host does not supervise it, and when the receiver is too slow; it throws where the host does
   * not answer. Either way what is missing is read from where output is stored. Aborting ends it.
   */
  committed(host: HostId, exec: ExecId, signal: AbortSignal): AsyncIterable<Chunk>;
}

/** What a host does for the API. */
export interface HostServices {
  hurry(execs: readonly ExecId[]): Promise<void>;
  writeStdin(exec: ExecId, piece: InputPiece): Promise<InputResult>;
  signal(exec: ExecId, signal: SendableSignal): Promise<number>;
  resize(exec: ExecId, resize: Resize): Promise<ResizeState>;
  git(sandbox: SandboxId, request: GitLook): Promise<object>;
  readonly files: SandboxFiles;
  /** Returns how to stop; undefined for an exec that is not supervised here. */
  watchCommitted(exec: ExecId, watcher: CommittedWatcher): (() => void) | undefined;
}

export type GitLook = Readonly<Record<string, unknown>> & {
  readonly action: GitLookAction;
  readonly path: string;
};

export const GIT_LOOK_ACTIONS = ['status', 'diff', 'log', 'branches', 'create', 'switch'] as const;
export type GitLookAction = (typeof GIT_LOOK_ACTIONS)[number];

/** Hears of output after it has been committed. It must not take long, and may keep the frames. */
export interface CommittedWatcher {
  take(chunk: Chunk): void;
  /** The exec has ended, or is no longer supervised here. The last call. */
  over(): void;
}
