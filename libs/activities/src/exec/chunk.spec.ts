import { describe, expect, it } from '@jest/globals';
import { DomainError, encodeFrame, type FrameStream } from '#domain';
import { chunkFrom, progressAfter } from './chunk.js';

const START = { position: 0, stdoutBytes: 0, stderrBytes: 0 };

function frame(stream: FrameStream, offset: number, payload: string): Uint8Array {
  return encodeFrame({ stream, flags: 0, offset, timeMicros: 1, payload: new TextEncoder().encode(payload) });
}

function join(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

describe('a chunk of frames from a sandbox', () => {
  it('says which bytes of which stream it holds', () => {
    const frames = join(frame('stdout', 0, 'abc'), frame('stderr', 0, 'x'), frame('stdout', 3, 'de'));
    const chunk = chunkFrom(START, 0, frames);
    expect(chunk).toMatchObject({ stdoutFrom: 0, stdoutTo: 5, stderrFrom: 0, stderrTo: 1 });
    expect(progressAfter(chunk)).toEqual({ position: frames.length, stdoutBytes: 5, stderrBytes: 1 });
  });

  it.each([
    ['a gap in a stream', 0, frame('stdout', 1, 'abc')],
    ['a repeated byte', 0, join(frame('stdout', 0, 'abc'), frame('stdout', 2, 'c'))],
    ['another position', 24, frame('stdout', 0, 'abc')],
    ['a frame that is cut off', 0, frame('stdout', 0, 'abc').subarray(0, 25)],
    ['something that is not a frame', 0, new Uint8Array(64)],
  ])('is refused with %s', (_name, position, frames) => {
    expect(() => chunkFrom(START, position, frames)).toThrow(DomainError);
  });
});
