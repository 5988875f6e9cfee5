import type { InputPiece, InputResult, Resize, ResizeState, SendableSignal } from '../exec-input.js';
import type { ExecId, HostId } from '../ids.js';

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
}

/** What a host does for the API. */
export interface HostServices {
  hurry(execs: readonly ExecId[]): Promise<void>;
  writeStdin(exec: ExecId, piece: InputPiece): Promise<InputResult>;
  signal(exec: ExecId, signal: SendableSignal): Promise<number>;
  resize(exec: ExecId, resize: Resize): Promise<ResizeState>;
}
