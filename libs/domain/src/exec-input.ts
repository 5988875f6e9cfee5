/** Where the standard input of a command comes from. The bytes of an inline one are kept apart from the request. */
export type StdinSource =
  { readonly kind: 'none' } | { readonly kind: 'inline'; readonly bytes: number } | { readonly kind: 'open' };

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export const SENDABLE_SIGNALS = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGKILL',
  'SIGUSR1',
  'SIGUSR2',
  'SIGPIPE',
  'SIGALRM',
  'SIGTERM',
  'SIGCONT',
  'SIGSTOP',
  'SIGTSTP',
  'SIGWINCH',
] as const;
export type SendableSignal = (typeof SENDABLE_SIGNALS)[number];

/** A piece of the input of a running exec. Sent again it is applied once, whichever way it goes. */
export interface InputPiece {
  /** Of the first byte within the whole input. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** The input ends after these bytes. */
  readonly eof: boolean;
  /** Who writes; null where that matters to nobody. At most 64 ASCII characters. */
  readonly writer: string | null;
  /** From here on only `writer` may write. */
  readonly take: boolean;
}

/**
 * - `applied`: all of it has been handed to the command. - `gap`: it begins after `appliedTo`, or ends the input before it.
 * - `full`: the command has not read on in time; from `appliedTo` on send it again. - `closed`: the command no longer
 *   reads, or the input had ended. - `taken`: somebody else is the writer.
 */
export type InputState = 'applied' | 'gap' | 'full' | 'closed' | 'taken';

export interface InputResult {
  readonly state: InputState;
  /** How many bytes of the whole input have been handed to the command. */
  readonly appliedTo: number;
  readonly eof: boolean;
}

export interface Resize {
  readonly size: TerminalSize;
  readonly writer: string | null;
}

export type ResizeState = 'resized' | 'taken';

/** True where input may reach the command while it runs. */
export function takesInput(request: {
  readonly stdin: StdinSource;
  readonly tty: TerminalSize | null;
}): boolean {
  return request.tty !== null || request.stdin.kind === 'open';
}
