import { limits, type InputPiece } from '#domain';

/** Content cut into the pieces that a runner takes, with `mark` behind it where it is the whole. It is copied once. */
export class FileContentPieces {
  /** How much of the content has been cut off so far. */
  bytes = 0;
  private readonly pieces: AsyncGenerator<Uint8Array>;

  constructor(
    content: AsyncIterable<Uint8Array>,
    private readonly offset: number,
    private readonly mark: Uint8Array | null,
  ) {
    this.pieces = gathered(content, limits.STDIN_PIECE_BYTES_MAX);
  }

  /** All of it, if that is no more than one piece; otherwise nothing is lost of what was read. */
  async first(): Promise<{ readonly bytes: Uint8Array; readonly isWhole: boolean }> {
    const next = await this.pieces.next();
    const bytes = next.done === true ? new Uint8Array(0) : next.value;
    return { bytes, isWhole: bytes.byteLength < limits.STDIN_PIECE_BYTES_MAX };
  }

  /** From what `first` has given on. Content without bytes is one piece without bytes. */
  async *from(first: Uint8Array): AsyncGenerator<InputPiece> {
    if (first.byteLength > 0 || this.mark === null) yield this.next(first, false);
    for await (const bytes of this.pieces) yield this.next(bytes, false);
    if (this.mark !== null) yield { ...this.next(new Uint8Array(0), true), bytes: this.mark };
  }

  private next(bytes: Uint8Array, eof: boolean): InputPiece {
    const offset = this.offset + this.bytes;
    this.bytes += bytes.byteLength;
    return { offset, bytes, eof, writer: null, take: false };
  }
}

/** The same bytes in pieces of one length; only the last one may be shorter. */
async function* gathered(content: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<Uint8Array> {
  let piece = Buffer.allocUnsafe(length);
  let filled = 0;
  for await (const bytes of content) {
    for (let at = 0; at < bytes.byteLength;) {
      const part = bytes.subarray(at, at + length - filled);
      piece.set(part, filled);
      at += part.byteLength;
      filled += part.byteLength;
      if (filled < length) continue;
      yield piece;
      piece = Buffer.allocUnsafe(length);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}
