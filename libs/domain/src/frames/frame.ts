/** The format is fixed in docs/RUNNER-PROTOCOL.md and pinned by test/vectors/frames.json. All integers are big-endian. */
export const FRAME_MAGIC = 0xb7;
export const FRAME_HEADER_BYTES = 24;
export const FRAME_PAYLOAD_BYTES_MAX = 262_144;
export const FRAME_BYTES_MAX = FRAME_HEADER_BYTES + FRAME_PAYLOAD_BYTES_MAX;

/** On the wire: 1, 2, 3. */
export type FrameStream = 'stdout' | 'stderr' | 'terminal';

export interface Frame {
  readonly stream: FrameStream;
  /** None is defined in version 1; a reader keeps them and does not fail on them. */
  readonly flags: number;
  /** Of the first payload byte within its own stream. */
  readonly offset: number;
  /** Microseconds since 1970 by the sandbox's clock. Never decreases within one spool. */
  readonly timeMicros: number;
  /** A view into the decoded bytes: copy it to keep it longer than them. */
  readonly payload: Uint8Array;
}

export interface FrameLimits {
  readonly payloadBytesMax: number;
}

/** The bytes are not frames. The position in the framed stream is the caller's `from` plus `at`. */
export class MalformedFrameError extends Error {
  override readonly name = 'MalformedFrameError';
  readonly code = 'spool_corrupt';

  constructor(
    message: string,
    /** Offset of the malformed frame in the bytes that were given. */
    readonly at: number,
  ) {
    super(`${message} at byte ${at}`);
  }
}
