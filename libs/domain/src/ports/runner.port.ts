import type { StartFailureCode } from '../errors.js';
import type {
  InputPiece,
  InputResult,
  Resize,
  ResizeState,
  SendableSignal,
  TerminalSize,
} from '../exec-input.js';

/**
 * What a host may ask of the runner inside a sandbox. All of it is safe to repeat: `start`, `cancel`, `commit` and
 * `forget` have the same effect and the same answer however often they are sent, over whichever connection.
 */
export interface RunnerConnection {
  /** Starts the command unless this id was ever claimed, canceled or forgotten; then it says which. */
  start(request: StartRequest): Promise<StartResult>;
  status(execId: string): Promise<RunnerExecStatus>;
  list(): Promise<RunnerExecStatus[]>;
  /**
   * Follows the framed output from a frame boundary to the end. The last event is `end` or `lost`; anything else is
   * thrown. Asking for the next event says that the one before has been dealt with, and only that lets the
   * runner send more. Aborting throws the reason of the signal; leaving the loop stops the follow.
   */
  follow(execId: string, fromPosition: number, signal: AbortSignal): AsyncIterable<FollowEvent>;
  /** Everything below `position` is kept elsewhere; the runner may delete it. Never goes backwards. */
  commit(execId: string, position: number): Promise<void>;
  /** Leaves a tombstone, ends the whole process tree and answers when that has been verified. */
  cancel(execId: string, graceMs: number): Promise<CancelResult>;
  /**
   * Ends it because the sandbox is about to be stopped, and answers when that has been verified: its record says so, and it has no
   * tombstone. Throws `not_found` where it was never claimed. A runner that does not know of this cancels it.
   */
  endForStop(execId: string, graceMs: number): Promise<CancelResult>;
  /**
   * Hands input to a running command, each byte once. At most `limits.STDIN_PIECES_AT_ONCE_MAX` requests for one exec are on
   * their way at once; a newer runner applies them in their order, an older one may answer `gap` to some. These three throw
   * `not_found` before the exec was started here, and `invalid_state` when it has ended or takes no such thing.
   */
  writeStdin(execId: string, piece: InputPiece): Promise<InputResult>;
  /** To the foreground of a terminal, otherwise to the command's process group; the group, or 0. Sent twice it is two signals. */
  signal(execId: string, signal: SendableSignal): Promise<number>;
  resize(execId: string, resize: Resize): Promise<ResizeState>;
  /** Deletes the spool of an ended exec. Its tombstone stays, unless it was transient, so that the id never starts again. */
  forget(execId: string): Promise<void>;
  close(): Promise<void>;
  /** Resolves when the connection has ended: `undefined` after `close()`, otherwise the reason. */
  readonly closed: Promise<Error | undefined>;
}

export interface StartRequest {
  /** A UUID in lower case. */
  readonly execId: string;
  /** The program and its arguments. A command line is `['sh', '-c', line]`; the runner has no shell of its own. */
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute. By default `/workspace`. */
  readonly workingDirectory?: string;
  /** `name`, `name:group`, `uid` or `uid:gid`, resolved in the sandbox. By default the sandbox's exec user. */
  readonly user?: string;
  /** Without it a user that resolves to uid 0 is refused. The exit record is then marked `selfReported`. */
  readonly allowRoot?: boolean;
  /** Without it the command reads `/dev/null`, or its terminal. At most 256 KiB inline. */
  readonly stdin?: { readonly kind: 'inline'; readonly bytes: Uint8Array } | { readonly kind: 'open' };
  readonly tty?: TerminalSize;
  readonly timeoutMs?: number;
  readonly idleTimeoutMs?: number;
  /** Bytes of stdout and stderr together; one byte more ends the exec as `output_limited`. */
  readonly outputBytesMax?: number;
  /** Bytes of framed spool that may be uncommitted before the command is made to wait. By default 64 MiB. */
  readonly uncommittedBytesMax?: number;
  /** Descendants may outlive the main process. Otherwise they are killed when it ends. */
  readonly allowBackground?: boolean;
  /** Over with its request: nothing of it outlives a power cut, and once forgotten its id is free, so it is never used again. */
  readonly transient?: boolean;
}

/**
 * - `started`: this call started it. - `running`: an earlier call did. - `finished`: it has ended, see `exitRecord`;
 *   a command that could not be executed is `finished` with reason `start_failed`.
 * - `canceled`: canceled before it was claimed; it never ran. - `forgotten`: it had ended and its spool is deleted.
 * - `lost`: claimed, no living supervisor, no exit record. It may have run and never runs again.
 */
export type StartState = 'started' | 'running' | 'finished' | 'canceled' | 'forgotten' | 'lost';

export interface StartResult {
  readonly state: StartState;
  readonly exitRecord?: ExitRecord;
}

export type RunnerExecState = 'unknown' | 'starting' | Exclude<StartState, 'started'>;

export type SpoolBlock = 'uncommitted_limit' | 'disk_full';

export interface RunnerExecStatus {
  readonly execId: string;
  readonly state: RunnerExecState;
  /** The oldest position that can still be followed. */
  readonly firstPosition: number;
  readonly endPosition: number;
  readonly pid?: number;
  /** RFC 3339 with microseconds, from the sandbox's clock. */
  readonly startedAt?: string;
  /** Why the command is made to wait with its output. */
  readonly blocked?: SpoolBlock;
  readonly exitRecord?: ExitRecord;
  readonly lostReason?: LostReason;
}

export type ExitReason =
  | 'exited'
  | 'timed_out'
  | 'idle_timed_out'
  | 'canceled'
  | 'output_limited'
  | 'oom_killed'
  | 'sandbox_stopped'
  | 'start_failed';

/** Written by the exec's own supervisor after the last process has gone and the last byte is in the spool. */
export interface ExitRecord {
  readonly execId: string;
  readonly protocol: number;
  /** Null when a signal ended the process, or when none was started. */
  readonly exitCode: number | null;
  /** For example `SIGKILL`. */
  readonly signal: string | null;
  readonly reason: ExitReason;
  /** Only with reason `start_failed`; `exitCode` is then 127 (not found) or 126, as a shell would say. */
  readonly startFailure?: { readonly code: StartFailureCode; readonly message: string };
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly wallMs: number;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly stdoutSha256: string;
  readonly stderrSha256: string;
  readonly endPosition: number;
  /** Processes other than the main one that were alive and had to be killed. */
  readonly descendantsKilled: number;
  /** Processes that survived KILL until the limit (uninterruptible sleep), or that were allowed to stay. */
  readonly descendantsLeft: number;
  /** TERM, or the end of the main process, was not enough for at least one process. */
  readonly hadToKill: boolean;
  /** Kernel OOM kills in the sandbox while the exec ran. */
  readonly oomKills: number;
  /** A process outside the exec's tree still held an output pipe open; what it writes later is not in the spool. */
  readonly outputHeldOpen: boolean;
  /** The disk stayed full, or failed, after the end: the last bytes could not be kept. */
  readonly outputTruncated: boolean;
  /** The command ran as root in the sandbox, so it could have forged this record. */
  readonly selfReported: boolean;
  /** Input that was handed to the command. Older runners do not count it. */
  readonly stdinBytes?: number;
  readonly usage: { readonly userMs: number; readonly systemMs: number; readonly maxRssBytes: number };
}

export type LostReason = 'sandbox_restarted' | 'supervisor_died' | 'record_unreadable';

export type FollowEvent =
  /** Whole frames, contiguous: `position` is that of the first one; the next event starts at `position + bytes.length`. */
  | { readonly kind: 'frames'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'end'; readonly exitRecord: ExitRecord }
  | { readonly kind: 'lost'; readonly endPosition: number; readonly reason: LostReason };

/** `canceled`: the cancel ended it. `finished`: it had ended by itself. `never_started`: it never was and never will be. */
export type CancelState = 'canceled' | 'finished' | 'never_started' | 'lost';

export interface CancelResult {
  readonly state: CancelState;
  readonly descendantsKilled: number;
  /** TERM was not enough. */
  readonly hadToKill: boolean;
  readonly exitRecord?: ExitRecord;
}
