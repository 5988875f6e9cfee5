import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { CliConfig } from '../config.js';
import { ConnectionLostError } from '../stream/exec-socket.js';
import { CliError } from '../terminal/cli-error.js';
import type { LocalTerminal } from '../terminal/local-terminal.js';
import { write, type Terminal } from '../terminal/terminal.js';
import { TerminalConnection } from './terminal-connection.js';
import {
  encodeInput,
  encodeResize,
  INPUT_BYTES_MAX,
  TAKE,
  type TerminalEnd,
  type TerminalMessage,
} from './terminal-message.js';
import { TypedInput } from './typed-input.js';

const RECONNECT_PAUSE_MS = 250;
const RECONNECT_WINDOW_MS = 10 * 60_000;
/** Ends the input of a terminal whose keys come out of a pipe: Ctrl+D. */
const END_OF_INPUT = Buffer.of(0x04);

export interface AttachOptions {
  readonly config: CliConfig;
  readonly execId: string;
  readonly terminal: Terminal;
  readonly local: LocalTerminal;
  /** Type into it, taking that from whoever does; otherwise only look. */
  readonly writes: boolean;
  /** The key that leaves the exec to itself; null for none. */
  readonly detachByte: number | null;
  readonly signal: AbortSignal;
}

/**
 * Shows the terminal of an exec from its first byte to its end, over as many connections as it takes, and hands on what is
 * typed, each byte once. Undefined when the person has detached; the exec goes on then.
 */
export async function attach(options: AttachOptions): Promise<TerminalEnd | undefined> {
  const attachment = new Attachment(options);
  const restore = options.writes ? options.local.raw() : () => undefined;
  const stopResizing = options.local.onResize(() => attachment.resize());
  try {
    if (options.writes) attachment.readKeys();
    return await attachment.follow();
  } finally {
    stopResizing();
    restore();
    attachment.stop();
  }
}

class Attachment {
  private readonly writer: string | undefined;
  private readonly input = new TypedInput();
  private readonly leaving = new AbortController();
  private readonly signal: AbortSignal;
  private connection: TerminalConnection | undefined;
  /** This connection has said how far the input is. */
  private isReady = false;
  private position = 0;
  private nextOffset = 0;
  /** Asked for once; a writer who comes again is still the one. */
  private taking: 'wanted' | 'asked' | 'done';

  constructor(private readonly options: AttachOptions) {
    this.writer = options.writes ? randomUUID() : undefined;
    this.taking = options.writes ? 'wanted' : 'done';
    this.signal = AbortSignal.any([options.signal, this.leaving.signal]);
  }

  async follow(): Promise<TerminalEnd | undefined> {
    let awaySince: number | undefined;
    while (!this.leaving.signal.aborted) {
      try {
        for await (const message of this.connected()) {
          if (awaySince !== undefined) this.note('reconnected');
          awaySince = undefined;
          if (message.kind === 'end') return message;
          await this.take(message);
        }
      } catch (error) {
        if (this.leaving.signal.aborted) return undefined;
        if (!(error instanceof ConnectionLostError)) throw error;
        if (awaySince === undefined) {
          this.note(`the connection is lost (${error.message}); the exec goes on, reconnecting`);
        }
        awaySince ??= performance.now();
        if (performance.now() - awaySince > RECONNECT_WINDOW_MS) throw gone(error);
      }
      await delay(RECONNECT_PAUSE_MS, undefined, { signal: this.signal }).catch(() => undefined);
      this.options.signal.throwIfAborted();
    }
    return undefined;
  }

  /** Reads keys until the detach key, the end of the input, or the end of the attachment. */
  readKeys(): void {
    this.readAll().catch((error: unknown) => {
      if (!this.signal.aborted) this.note(`nothing more can be typed: ${String(error)}`);
    });
  }

  resize(): void {
    const size = this.options.local.size();
    if (size && this.isReady) this.connection?.send(encodeResize(size.columns, size.rows));
  }

  stop(): void {
    this.leaving.abort();
    this.connection?.close();
    if (this.options.writes) this.options.local.input.destroy();
  }

  private async *connected(): AsyncGenerator<TerminalMessage> {
    const { config, execId } = this.options;
    const { position: after, writer, signal } = this;
    const connection = await TerminalConnection.open({ config, execId, after, writer, signal });
    this.connection = connection;
    try {
      yield* connection.messages();
    } finally {
      this.connection = undefined;
      this.isReady = false;
      connection.close();
      if (this.taking === 'asked') this.taking = 'wanted';
    }
  }

  private async take(message: Exclude<TerminalMessage, { kind: 'end' }>): Promise<void> {
    switch (message.kind) {
      case 'output':
        if (message.offset !== this.nextOffset)
          throw new ConnectionLostError('a piece of output was missing');
        await write(this.options.terminal.out, message.bytes);
        this.nextOffset += message.bytes.byteLength;
        this.position = message.position;
        return;
      case 'applied':
        return this.input.acknowledge(message.appliedTo);
      case 'writer':
        return this.hearWriter(message.writer, message.appliedTo);
      case 'error':
        return this.note(`${message.message} (${message.code})`);
      case 'open':
      case 'state':
        return;
    }
  }

  private hearWriter(writer: boolean, appliedTo: number): void {
    if (this.taking === 'wanted') {
      this.taking = 'asked';
      this.connection?.send(TAKE);
    } else if (writer) {
      this.taking = 'done';
      this.isReady = true;
      this.input.open(appliedTo);
      this.resize();
      this.sendTyped();
    } else if (this.input.isOpen) {
      this.input.giveUp();
      this.note('somebody else types now; you only look');
    }
  }

  private async readAll(): Promise<void> {
    for await (const keys of this.options.local.input as AsyncIterable<Buffer>) {
      const at = this.options.detachByte === null ? -1 : keys.indexOf(this.options.detachByte);
      this.typed(at < 0 ? keys : keys.subarray(0, at));
      if (at >= 0) return this.leaving.abort();
      await this.input.room(this.signal);
    }
    this.typed(END_OF_INPUT);
  }

  private typed(keys: Uint8Array): void {
    // Who has lost the input and goes on typing types into nothing.
    if (this.taking === 'done' && !this.input.isOpen) return;
    this.input.push(keys);
    this.sendTyped();
  }

  private sendTyped(): void {
    if (!this.connection || !this.isReady) return;
    for (let next = this.input.next(INPUT_BYTES_MAX); next; next = this.input.next(INPUT_BYTES_MAX)) {
      this.connection.send(encodeInput(next.offset, next.bytes));
    }
  }

  /** A raw terminal goes back to the left only when it is told to. */
  private note(text: string): void {
    this.options.terminal.err.write(`\r\nberth: ${text}\r\n`);
  }
}

function gone(cause: Error): CliError {
  return new CliError(`The API did not come back: ${cause.message}.`, 'The exec goes on in any case.', {
    cause,
  });
}
