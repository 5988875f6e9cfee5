import { readFileSync } from 'node:fs';
import { FUZZ_SEED, mutated, randomFor } from '../../../../test/fakes/fuzzing.js';
import { decodeFrames, encodeFrame } from './frame.codec.js';
import { FRAME_PAYLOAD_BYTES_MAX, MalformedFrameError, type FrameStream } from './frame.js';

interface FrameVector {
  readonly name: string;
  readonly bytesHex: string;
  readonly frames?: {
    stream: FrameStream;
    flags: number;
    offset: number;
    timeMicros: number;
    payloadHex: string;
  }[];
  readonly consumed?: number;
  readonly malformedAt?: number;
}

const RANDOM_ROUNDS = 2_000;
const { vectors } = JSON.parse(
  readFileSync(new URL('../../../../test/vectors/frames.json', import.meta.url), 'utf8'),
) as { vectors: FrameVector[] };

const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('the frame codec', () => {
  it.each(vectors.filter((vector) => vector.frames !== undefined))('decodes: $name', (vector) => {
    const { frames, consumed } = decodeFrames(fromHex(vector.bytesHex));
    expect(frames.map(({ payload, ...rest }) => ({ ...rest, payloadHex: toHex(payload) }))).toEqual(
      vector.frames,
    );
    expect(consumed).toBe(vector.consumed);
  });

  it.each(vectors.filter((vector) => vector.malformedAt !== undefined))('refuses: $name', (vector) => {
    const error = errorOf(() => decodeFrames(fromHex(vector.bytesHex)));
    expect(error).toBeInstanceOf(MalformedFrameError);
    expect(error).toMatchObject({ at: vector.malformedAt, code: 'spool_corrupt' });
  });

  it('encodes what it decodes, byte for byte', () => {
    for (const vector of vectors.filter(({ frames }) => frames !== undefined)) {
      const bytes = fromHex(vector.bytesHex);
      const { frames, consumed } = decodeFrames(bytes);
      expect(frames.map((frame) => toHex(encodeFrame(frame))).join('')).toBe(
        toHex(bytes.subarray(0, consumed)),
      );
    }
  });

  it('gives payloads as views into the bytes it was given', () => {
    const bytes = encodeFrame({
      stream: 'stdout',
      flags: 0,
      offset: 0,
      timeMicros: 1,
      payload: fromHex('00ff'),
    });
    expect(decodeFrames(bytes).frames[0]?.payload.buffer).toBe(bytes.buffer);
  });

  it('refuses to encode an empty or too large payload', () => {
    const frame = { stream: 'stdout', flags: 0, offset: 0, timeMicros: 1 } as const;
    expect(() => encodeFrame({ ...frame, payload: new Uint8Array(0) })).toThrow(RangeError);
    expect(() => encodeFrame({ ...frame, payload: new Uint8Array(FRAME_PAYLOAD_BYTES_MAX + 1) })).toThrow(
      RangeError,
    );
    expect(() => encodeFrame({ ...frame, offset: -1, payload: new Uint8Array(1) })).toThrow(RangeError);
  });

  it(`answers any bytes with frames or a typed error, and never reads past them (BERTH_FUZZ_SEED=${FUZZ_SEED})`, () => {
    const random = randomFor('frames');
    const good = fromHex(vectors.find(({ name }) => name.startsWith('stdout and stderr'))?.bytesHex ?? '');
    for (let round = 0; round < RANDOM_ROUNDS; round++) {
      const bytes = mutated(random, good);
      const outcome = outcomeOf(() => decodeFrames(bytes));
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(MalformedFrameError);
      else {
        const { frames, consumed } = outcome;
        expect(consumed).toBeLessThanOrEqual(bytes.length);
        expect(frames.map((frame) => toHex(encodeFrame(frame))).join('')).toBe(
          toHex(bytes.subarray(0, consumed)),
        );
      }
    }
  });
});

function outcomeOf<Result>(run: () => Result): Result | Error {
  try {
    return run();
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
}

function errorOf(run: () => unknown): Error {
  const outcome = outcomeOf(run);
  if (outcome instanceof Error) return outcome;
  throw new TypeError('Expected an error');
}
