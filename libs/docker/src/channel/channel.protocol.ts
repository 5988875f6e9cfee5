/** The channel of docs/RUNNER-PROTOCOL.md in numbers. */
export const PROTOCOL_VERSIONS = [1, 2] as const;
/** The first one with standard input, terminals and signals. */
export const PROTOCOL_WITH_INPUT = 2;

/** Length, type and request id. */
export const MESSAGE_HEADER_BYTES = 9;
/** What the length field counts besides the payload. */
export const MESSAGE_COUNTED_BYTES = 5;
export const MESSAGE_LENGTH_MAX = 1_048_576;
/** The position in front of the frames. */
export const DATA_POSITION_BYTES = 8;
export const DATA_FRAMES_BYTES_MAX = 524_288;

export const MESSAGE = {
  hello: 0x01,
  ping: 0x02,
  start: 0x10,
  status: 0x11,
  list: 0x12,
  follow: 0x13,
  window: 0x14,
  unfollow: 0x15,
  commit: 0x16,
  cancel: 0x17,
  forget: 0x18,
  stdin: 0x20,
  signal: 0x21,
  resize: 0x22,
  helloOk: 0x81,
  pong: 0x82,
  result: 0x90,
  error: 0x91,
  data: 0x92,
  end: 0x93,
  lost: 0x94,
} as const;

export interface ChannelMessage {
  readonly type: number;
  readonly requestId: number;
  /** May be a view into what was received. */
  readonly payload: Uint8Array;
}
