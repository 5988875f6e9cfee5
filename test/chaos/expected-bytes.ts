/** The same arithmetic as in program.pl, written a second time: what a program writes can be known without asking it. */
const BLOCK_BYTES = 4_096;
const BLOCK_WORDS = BLOCK_BYTES / Uint32Array.BYTES_PER_ELEMENT;
/** That of stdin is known only here: a program keeps what it is sent and does not judge it. */
const SALTS = { stdout: 0, stderr: 0x9e3779b9, stdin: 0x51ed270b } as const;
const BLOCK_STEP = 2_654_435_761n;
const TEXT_MASK = 0x1f1f1f1f;
const TEXT_BASE = 0x40404040;

export type StreamName = 'stdout' | 'stderr';

/** An endless stream of bytes, fixed by seed and name. As text it is one long line of letters without an end. */
export class ExpectedStream {
  private readonly base: Uint32Array;
  private readonly salt: number;

  constructor(
    seed: number,
    stream: StreamName | 'stdin',
    private readonly isText: boolean,
  ) {
    this.salt = (seed ^ SALTS[stream]) >>> 0;
    this.base = baseOf(this.salt);
  }

  bytes(from: number, length: number): Buffer {
    const first = Math.floor(from / BLOCK_BYTES);
    const last = Math.floor((from + Math.max(length, 1) - 1) / BLOCK_BYTES);
    const words = new Uint32Array((last - first + 1) * BLOCK_WORDS);
    for (let block = first; block <= last; block++) this.fill(words, (block - first) * BLOCK_WORDS, block);
    return Buffer.from(words.buffer).subarray(
      from - first * BLOCK_BYTES,
      from - first * BLOCK_BYTES + length,
    );
  }

  /** The offset in the stream of the first byte that is wrong; undefined where all of them are right. */
  firstDifference(from: number, actual: Buffer): number | undefined {
    const expected = this.bytes(from, actual.length);
    if (expected.equals(actual)) return undefined;
    return from + actual.findIndex((byte, index) => byte !== expected[index]);
  }

  private fill(target: Uint32Array, at: number, block: number): void {
    const mask = Number((BigInt(block) * BLOCK_STEP + BigInt(this.salt)) & 0xffffffffn);
    for (let index = 0; index < BLOCK_WORDS; index++) {
      const raw = (this.base[index] ?? 0) ^ mask;
      target[at + index] = this.isText ? (raw & TEXT_MASK) | TEXT_BASE : raw;
    }
  }
}

/** Xorshift, 32 bits. */
function baseOf(salt: number): Uint32Array {
  const words = new Uint32Array(BLOCK_WORDS);
  let state = salt === 0 ? 1 : salt;
  for (const index of words.keys()) {
    state = (state ^ (state << 13)) >>> 0;
    state = (state ^ (state >>> 17)) >>> 0;
    state = (state ^ (state << 5)) >>> 0;
    words[index] = state;
  }
  return words;
}
