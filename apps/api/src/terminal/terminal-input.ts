import { setTimeout as delay } from 'node:timers/promises';
import {
  DomainError,
  isDomainError,
  type Exec,
  type HostLink,
  type InputPiece,
  type InputResult,
  type TerminalSize,
} from '#domain';

/** What may wait for a command that does not read; a client that keeps to its window never comes here. */
const WAITING_BYTES_MAX = 256 * 1_024;
const RETRY_MS = 200;

export type InputEvent =
  | { readonly kind: 'applied'; readonly appliedTo: number }
  /** Who may write has been looked at, or has been taken just now. */
  | {
      readonly kind: 'writer';
      readonly writer: boolean;
      readonly took: boolean;
      readonly appliedTo: number;
    }
  | { readonly kind: 'refused'; readonly error: DomainError };

type Operation = Pick<InputPiece, 'offset' | 'bytes' | 'take'> & { readonly isInput: boolean };

const NOTHING = new Uint8Array(0);

/**
 * What one client types, on its way to the exec: in order, and again after every outage, because each byte is applied once
 * however often it is sent. It ends with `signal`.
 */
export class TerminalInput {
  private readonly waiting: Operation[] = [];
  private waitingBytes = 0;
  private isWorking = false;
  private size: TerminalSize | undefined;
  private isResizing = false;

  constructor(
    private readonly hosts: HostLink,
    private readonly exec: Exec,
    /** Null for a client that only looks. */
    private readonly writer: string | null,
    private readonly signal: AbortSignal,
    private readonly report: (event: InputEvent) => void,
  ) {}

  /** Throws `rate_limited` when more waits than a client may send ahead. */
  type(offset: number, bytes: Uint8Array): void {
    if (this.waitingBytes + bytes.byteLength > WAITING_BYTES_MAX) {
      throw new DomainError('rate_limited', 'Too much input was sent ahead of what is applied.');
    }
    this.enter({ offset, bytes: new Uint8Array(bytes), take: false, isInput: true });
  }

  /** From here on nobody else may write. */
  take(): void {
    if (this.writer === null) throw new DomainError('bad_request', 'Name a `writer` to write.');
    this.enter({ offset: 0, bytes: NOTHING, take: true, isInput: false });
  }

  /** Asks who may write and how far the input is. */
  look(): void {
    this.enter({ offset: 0, bytes: NOTHING, take: false, isInput: false });
  }

  /** The latest size is the one that counts. */
  resize(size: TerminalSize): void {
    this.size = size;
    if (!this.isResizing) void this.resizeAll();
  }

  private enter(operation: Operation): void {
    this.waiting.push(operation);
    this.waitingBytes += operation.bytes.byteLength;
    if (!this.isWorking) void this.workAll();
  }

  private async workAll(): Promise<void> {
    this.isWorking = true;
    for (let next = this.waiting.shift(); next && !this.signal.aborted; next = this.waiting.shift()) {
      await this.work(next);
      this.waitingBytes -= next.bytes.byteLength;
    }
    this.isWorking = false;
  }

  private async work({ offset, bytes, take, isInput }: Operation): Promise<void> {
    const piece: InputPiece = { offset, bytes, take, eof: false, writer: this.writer };
    const result = await this.patiently(() => this.hosts.writeStdin(this.exec.hostId, this.exec.id, piece));
    if (result === undefined) return;
    if (result.state === 'full') return await this.work({ offset, bytes, take: false, isInput });
    this.report(isInput ? inputEventOf(result) : this.writerEventOf(result, take));
  }

  private writerEventOf({ state, appliedTo }: InputResult, took: boolean): InputEvent {
    return { kind: 'writer', writer: this.writer !== null && state !== 'taken', took, appliedTo };
  }

  private async resizeAll(): Promise<void> {
    this.isResizing = true;
    while (this.size && !this.signal.aborted) {
      const { size } = this;
      this.size = undefined;
      const resize = { size, writer: this.writer };
      await this.patiently(() => this.hosts.resize(this.exec.hostId, this.exec.id, resize));
    }
    this.isResizing = false;
  }

  /** Undefined when there is nobody left to ask: the exec or the client has gone. */
  private async patiently<Result>(ask: () => Promise<Result>): Promise<Result | undefined> {
    while (!this.signal.aborted) {
      try {
        return await ask();
      } catch (error) {
        if (!mayPass(error)) {
          if (isDomainError(error, 'invalid_state')) return undefined;
          this.report({
            kind: 'refused',
            error: isDomainError(error)
              ? error
              : new DomainError('internal', 'Input failed.', { cause: error }),
          });
          return undefined;
        }
      }
      await delay(RETRY_MS);
    }
    return undefined;
  }
}

function inputEventOf({ state, appliedTo }: InputResult): InputEvent {
  if (state === 'applied') return { kind: 'applied', appliedTo };
  if (state === 'taken') return { kind: 'writer', writer: false, took: false, appliedTo };
  const [code, message] =
    state === 'gap'
      ? (['stdin_gap', 'The input does not continue there.'] as const)
      : (['stdin_closed', 'The input is closed.'] as const);
  return { kind: 'refused', error: new DomainError(code, message, { extra: { appliedTo } }) };
}

/** An outage, or an exec that is not running yet. */
function mayPass(error: unknown): boolean {
  if (!isDomainError(error)) return false;
  const state = error.extra?.['state'];
  return error.transient || (error.code === 'invalid_state' && (state === 'queued' || state === 'starting'));
}
