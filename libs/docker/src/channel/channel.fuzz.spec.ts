import { readFileSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { isDomainError, type FollowEvent } from '#domain';
import { FUZZ_SEED, inPieces, mutated, randomFor } from '../../../../test/fakes/fuzzing.js';
import { encodeJsonMessage, MessageDecoder } from './channel.codec.js';
import { MESSAGE, MESSAGE_LENGTH_MAX } from './channel.protocol.js';
import { FOLLOW_WINDOW_BYTES } from './follow.queue.js';
import { RunnerChannel } from './runner.channel.js';

const ROUNDS = 1_500;
const STATUS_REQUEST = 2;
const FOLLOW_REQUEST = 3;
const never = new AbortController().signal;

const { messages } = JSON.parse(
  readFileSync(new URL('../../../../test/vectors/channel.json', import.meta.url), 'utf8'),
) as { messages: { from: string; type: number; kind: string; bytesHex: string }[] };

/** All that a runner may say, as answers to a status and a follow. */
const conversation = Buffer.concat(
  messages
    .filter(({ from, type }) => from === 'runner' && type !== MESSAGE.helloOk)
    .map(({ kind, bytesHex }) => {
      const bytes = Buffer.from(bytesHex, 'hex');
      const isOfFollow = ['data', 'end', 'lost'].includes(kind);
      bytes.writeUInt32BE(kind === 'pong' ? 0 : isOfFollow ? FOLLOW_REQUEST : STATUS_REQUEST, 5);
      return bytes;
    }),
);

async function openTo(stream: Duplex): Promise<RunnerChannel> {
  const opening = RunnerChannel.open(stream, 'plain');
  const hello = { protocol: 2, version: 'test', bootId: 'b', epoch: 1, mode: 'init' };
  stream.push(encodeJsonMessage(MESSAGE.helloOk, 1, hello));
  return await opening;
}

async function followed(channel: RunnerChannel): Promise<number> {
  let bytes = 0;
  for await (const event of channel.follow('x', 0, never)) bytes += sizeOf(event);
  return bytes;
}

const sizeOf = (event: FollowEvent): number => (event.kind === 'frames' ? event.bytes.byteLength : 0);

describe(`a channel to a runner that may say anything (BERTH_FUZZ_SEED=${FUZZ_SEED})`, () => {
  it('cuts any bytes into messages or refuses them with a typed error', () => {
    const random = randomFor('messages');
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = mutated(random, conversation);
      let taken = 0;
      const decoder = new MessageDecoder(({ payload }) => (taken += payload.byteLength));
      try {
        for (const piece of inPieces(random, bytes)) decoder.push(piece);
      } catch (error) {
        expect(isDomainError(error, 'runner_protocol')).toBe(true);
      }
      expect(taken).toBeLessThanOrEqual(Math.min(bytes.byteLength, MESSAGE_LENGTH_MAX));
    }
  }, 60_000);

  it('answers everybody who waits, with a result or a typed error', async () => {
    const random = randomFor('conversations');
    for (let round = 0; round < ROUNDS; round++) {
      const stream = new Duplex({ read: () => undefined, write: (_bytes, _encoding, done) => done() });
      const channel = await openTo(stream);
      const waiting = [channel.status('x'), followed(channel)];
      for (const piece of inPieces(random, mutated(random, conversation))) stream.push(piece);
      stream.push(null);
      for (const result of await Promise.allSettled(waiting)) {
        if (result.status === 'rejected') expect(isDomainError(result.reason)).toBe(true);
        else if (typeof result.value === 'number')
          expect(result.value).toBeLessThanOrEqual(FOLLOW_WINDOW_BYTES);
      }
      await expect(channel.closed).resolves.toBeInstanceOf(Error);
    }
  }, 60_000);
});
