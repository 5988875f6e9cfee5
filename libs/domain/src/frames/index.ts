/**
 * The codec of the framed output that a runner spools: pure, zero-copy, strict. It decodes hostile bytes, so every
 * length is bounded before it is used. It must never guess: what is not a frame is an error with its offset.
 */
export {
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  FRAME_PAYLOAD_BYTES_MAX,
  MalformedFrameError,
  type Frame,
  type FrameLimits,
  type FrameStream,
} from './frame.js';
export { decodeFrames, encodeFrame, type DecodedFrames } from './frame.codec.js';
