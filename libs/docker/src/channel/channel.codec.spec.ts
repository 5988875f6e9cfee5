import { isDomainError } from '#domain';
import { encodeJsonMessage, encodeMessage, MessageDecoder } from './channel.codec.js';
import { MESSAGE_LENGTH_MAX, type ChannelMessage } from './channel.protocol.js';

function decodeInPieces(bytes: Uint8Array, pieceBytes: () => number): ChannelMessage[] {
  const messages: ChannelMessage[] = [];
  const decoder = new MessageDecoder((message) =>
    messages.push({ ...message, payload: message.payload.slice() }),
  );
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + Math.max(1, pieceBytes()));
    decoder.push(bytes.slice(at, end));
    at = end;
  }
  return messages;
}

const stream = Buffer.concat([
  encodeJsonMessage(0x90, 1, { state: 'started' }),
  encodeMessage(0x82, 0, new Uint8Array(0)),
  encodeMessage(
    0x92,
    2,
    Uint8Array.from({ length: 70_000 }, (_, at) => at % 251),
  ),
]);

describe('the channel codec', () => {
  it.each([1, 2, 7, 9, 64, 65_536, 1_000_000])(
    'gives the same messages however they arrive (%i bytes)',
    (pieceBytes) => {
      const messages = decodeInPieces(stream, () => pieceBytes);
      expect(messages.map(({ type, requestId, payload }) => [type, requestId, payload.length])).toEqual([
        [0x90, 1, 19],
        [0x82, 0, 0],
        [0x92, 2, 70_000],
      ]);
      expect(messages[2]?.payload.every((byte, at) => byte === at % 251)).toBe(true);
    },
  );

  it('gives a payload that arrived in one piece without copying it', () => {
    const bytes = encodeMessage(0x92, 1, new Uint8Array(100));
    let payload: Uint8Array | undefined;
    new MessageDecoder((message) => (payload = message.payload)).push(bytes);
    expect(payload?.buffer).toBe(bytes.buffer);
  });

  it.each([0, 4, MESSAGE_LENGTH_MAX + 1, 0xffffffff])(
    'refuses a length of %i before it allocates',
    (length) => {
      const bytes = new Uint8Array(9);
      new DataView(bytes.buffer).setUint32(0, length);
      const decoder = new MessageDecoder(() => undefined);
      expect(codeOf(() => decoder.push(bytes))).toBe('runner_protocol');
    },
  );

  it('refuses to send what the runner would refuse to read', () => {
    expect(codeOf(() => encodeMessage(0x10, 1, new Uint8Array(MESSAGE_LENGTH_MAX)))).toBe(
      'payload_too_large',
    );
  });
});

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (isDomainError(error)) return error.code;
    throw error;
  }
}
