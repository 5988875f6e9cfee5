const LEAD_BYTES_MAX = 3;

/** How many bytes at the end are the beginning of a character that is not there as a whole: 0 to 3. */
export function incompleteTailBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(LEAD_BYTES_MAX, bytes.byteLength); back += 1) {
    const byte = bytes[bytes.byteLength - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    return back < characterBytes(byte) ? back : 0;
  }
  return 0;
}

function characterBytes(lead: number): number {
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  return 1;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export const decodeUtf8 = (bytes: Uint8Array): string => decoder.decode(bytes);

/** Text of a stream that arrives in pieces: a character that is cut by a piece is held back until it is whole. */
export class Utf8Pieces {
  private tail: Uint8Array;

  /** `before`: the last bytes ahead of the first piece, in case a character began there. */
  constructor(before: Uint8Array = new Uint8Array()) {
    this.tail = before.slice(before.byteLength - incompleteTailBytes(before));
  }

  push(piece: Uint8Array): string {
    const bytes = this.tail.byteLength === 0 ? piece : Buffer.concat([this.tail, piece]);
    const wholeBytes = bytes.byteLength - incompleteTailBytes(bytes);
    this.tail = bytes.slice(wholeBytes);
    return decodeUtf8(bytes.subarray(0, wholeBytes));
  }

  /** What is left at the end of the stream is no character. */
  end(): string {
    const rest = decodeUtf8(this.tail);
    this.tail = new Uint8Array();
    return rest;
  }
}
