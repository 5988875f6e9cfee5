/** What may be on its way without an answer; whoever types more waits. */
const WINDOW_BYTES_MAX = 64 * 1_024;

/**
 * What has been typed and is not acknowledged. It is numbered only once this client is the writer, because only then is it
 * known where its input begins.
 */
export class TypedInput {
  private pending: Buffer = Buffer.alloc(0);
  /** That of the first pending byte; undefined until this client writes. */
  private start: number | undefined;
  private sentTo = 0;
  private wake: (() => void) | undefined;

  get isOpen(): boolean {
    return this.start !== undefined;
  }

  push(bytes: Uint8Array): void {
    this.pending = Buffer.concat([this.pending, bytes]);
  }

  /** Resolves when more may be typed. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.pending.byteLength >= WINDOW_BYTES_MAX && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  /** A connection says how far the input has come: from there on everything is to be sent, also what was sent before. */
  open(appliedTo: number): void {
    if (this.start === undefined) this.start = appliedTo;
    else this.acknowledge(appliedTo);
    this.sentTo = this.start;
  }

  acknowledge(appliedTo: number): void {
    if (this.start === undefined || appliedTo <= this.start) return;
    this.pending = this.pending.subarray(Math.min(appliedTo - this.start, this.pending.byteLength));
    this.start = appliedTo;
    this.sentTo = Math.max(this.sentTo, appliedTo);
    this.wake?.();
  }

  /** Somebody else writes: what was not applied is given up, because it was typed into something else. */
  giveUp(): void {
    this.pending = Buffer.alloc(0);
    this.start = undefined;
    this.wake?.();
  }

  /** The next bytes to send, as often as they are asked for until there are none. */
  next(bytesMax: number): { readonly offset: number; readonly bytes: Uint8Array } | undefined {
    if (this.start === undefined) return undefined;
    const from = this.sentTo - this.start;
    const bytes = this.pending.subarray(from, from + bytesMax);
    if (bytes.byteLength === 0) return undefined;
    const offset = this.sentTo;
    this.sentTo += bytes.byteLength;
    return { offset, bytes };
  }
}
