import { readFileSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { isDomainError, type FollowEvent, type InputPiece, type SendableSignal } from '#domain';
import { encodeJsonMessage, MessageDecoder } from './channel.codec.js';
import { MESSAGE, PROTOCOL_VERSIONS, type ChannelMessage } from './channel.protocol.js';
import { RunnerChannel } from './runner.channel.js';

type Fields = Readonly<Record<string, unknown>>;

interface MessageVector {
  readonly name: string;
  readonly from: 'host' | 'runner';
  readonly kind: 'error' | Exclude<keyof typeof MESSAGE, 'error'>;
  readonly protocol: number;
  readonly type: number;
  readonly requestId: number;
  readonly json?: Fields;
  readonly stdin?: Fields & { execId: string; offset: number; eof: boolean; take: boolean; bytesHex: string };
  readonly payloadHex?: string;
  readonly bytesHex: string;
}

const { messages, malformedMessages } = JSON.parse(
  readFileSync(new URL('../../../../test/vectors/channel.json', import.meta.url), 'utf8'),
) as { messages: MessageVector[]; malformedMessages: MessageVector[] };

const fromHost = messages.filter(({ from }) => from === 'host');
const answers = messages.filter(({ from, type }) => from === 'runner' && type === MESSAGE.result);
const never = new AbortController().signal;
const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

function decoded(bytes: Uint8Array): ChannelMessage[] {
  const got: ChannelMessage[] = [];
  new MessageDecoder((message) => got.push(message)).push(bytes);
  return got;
}

/** Answers a greeting, and to all else what the test gives it. */
class Runner {
  readonly received: ChannelMessage[] = [];
  readonly stream: Duplex;

  constructor(protocol: number, answer: (requestId: number) => Uint8Array | undefined = () => undefined) {
    const decoder = new MessageDecoder((message) => {
      this.received.push(message);
      const { type, requestId } = message;
      const hello = { protocol, version: 'test', bootId: 'b', epoch: 1, mode: 'init' };
      const bytes =
        type === MESSAGE.hello ? encodeJsonMessage(MESSAGE.helloOk, requestId, hello) : answer(requestId);
      if (bytes !== undefined) this.stream.push(bytes);
    });
    this.stream = new Duplex({
      read: () => undefined,
      write: (bytes: Uint8Array, _encoding, done) => {
        decoder.push(bytes);
        done();
      },
    });
  }
}

/** What a host calls to send the message of a vector. */
async function sendAsHost(channel: RunnerChannel, { kind, json, stdin }: MessageVector): Promise<unknown> {
  const { execId = '' } = (json ?? stdin) as { execId?: string };
  const fields = (json ?? {}) as Record<string, never>;
  switch (kind) {
    case 'start':
      return await channel.start(startOf(fields));
    case 'commit':
      return await channel.commit(execId, fields['position'] as unknown as number);
    case 'cancel':
      return await channel[fields['stops'] === undefined ? 'cancel' : 'endForStop'](
        execId,
        fields['graceMs'] as unknown as number,
      );
    case 'signal':
      return await channel.signal(execId, fields['signal'] as unknown as SendableSignal);
    case 'resize':
      return await channel.resize(execId, {
        size: { columns: Number(fields['columns']), rows: Number(fields['rows']) },
        writer: (fields['writer'] as string | undefined) ?? null,
      });
    case 'stdin':
      return await channel.writeStdin(execId, pieceOf(stdin));
    default:
      throw new TypeError(`No host sends ${kind} in this test.`);
  }
}

function startOf(fields: Fields): Parameters<RunnerChannel['start']>[0] {
  const { stdin, ...request } = fields as { stdin?: { kind: 'inline' | 'open'; base64?: string } };
  const source =
    stdin?.kind === 'inline' ? { kind: stdin.kind, bytes: Buffer.from(stdin.base64 ?? '', 'base64') } : stdin;
  return { ...request, ...(source === undefined ? {} : { stdin: source }) } as never;
}

function pieceOf(stdin: MessageVector['stdin']): InputPiece {
  const { offset, eof, take, writer, bytesHex } = stdin as Fields & { bytesHex: string };
  return { offset, eof, take, writer, bytes: bytesOf(bytesHex) } as InputPiece;
}

describe('the messages that host and runner share', () => {
  it.each(messages)('are read as they are meant: $name', (vector) => {
    const [message, ...more] = decoded(bytesOf(vector.bytesHex));
    expect(more).toEqual([]);
    expect(message).toMatchObject({ type: vector.type, requestId: vector.requestId });
    expect(MESSAGE[vector.from === 'runner' && vector.type === MESSAGE.result ? 'result' : vector.kind]).toBe(
      vector.type,
    );
    const payload = Buffer.from(message?.payload ?? []);
    if (vector.json) expect(JSON.parse(payload.toString())).toEqual(vector.json);
    else expect(payload.toString('hex')).toBe(vector.payloadHex);
  });

  it.each(fromHost.filter(({ kind }) => kind !== 'hello'))('are what a host sends: $name', async (vector) => {
    const runner = new Runner(2);
    const channel = await RunnerChannel.open(runner.stream, 'plain');
    const asking = sendAsHost(channel, vector);
    const sent = runner.received.at(-1);
    expect(sent?.type).toBe(vector.type);
    const payload = Buffer.from(sent?.payload ?? []);
    if (vector.json) expect(JSON.parse(payload.toString())).toEqual(vector.json);
    else expect(payload.toString('hex')).toBe(vector.payloadHex);
    await channel.close();
    await expect(asking).rejects.toMatchObject({ code: 'runner_unreachable' });
  });

  it('begin with a greeting that names all protocols that are spoken', async () => {
    const runner = new Runner(2);
    await (await RunnerChannel.open(runner.stream, 'plain')).close();
    const greeting = fromHost.find(({ kind }) => kind === 'hello');
    expect(Buffer.from(runner.received[0]?.payload ?? []).toString()).toBe(JSON.stringify(greeting?.json));
    expect(greeting?.json).toMatchObject({ protocols: PROTOCOL_VERSIONS });
  });

  it.each(answers)('are understood when a runner answers: $name', async (vector) => {
    const request = fromHost.find(({ kind }) => kind === vector.kind) as MessageVector;
    const payload = vector.json;
    const runner = new Runner(2, (requestId) => encodeJsonMessage(MESSAGE.result, requestId, payload));
    const channel = await RunnerChannel.open(runner.stream, 'plain');
    const got = await sendAsHost(channel, request);
    const known = { signal: payload?.['processGroup'], resize: payload?.['state'] } as Fields;
    expect(got).toEqual(known[vector.kind] ?? payload);
    await channel.close();
  });

  it.each(['end', 'lost'] as const)('are understood as output and its %s', async (last) => {
    const of = (kind: string): Uint8Array => {
      const vector = messages.find((one) => one.kind === kind && one.from === 'runner');
      const bytes = bytesOf(vector?.bytesHex ?? '');
      // The follow of this channel is its second request.
      new DataView(bytes.buffer).setUint32(5, 2);
      return bytes;
    };
    const runner = new Runner(2, (requestId) =>
      requestId === 2
        ? Buffer.concat([
            encodeJsonMessage(MESSAGE.result, 2, { firstPosition: 0, endPosition: 30 }),
            of('data'),
            of(last),
          ])
        : undefined,
    );
    const channel = await RunnerChannel.open(runner.stream, 'plain');
    const events: FollowEvent[] = [];
    for await (const event of channel.follow('x', 0, never)) events.push(event);
    const notice = messages.find((one) => one.kind === last)?.json;
    expect(events).toMatchObject([
      { kind: 'frames', position: 0 },
      { kind: last, ...notice },
    ]);
    await channel.close();
  });

  it.each(malformedMessages)('are refused where they are malformed: $name', ({ bytesHex }) => {
    let refusal: unknown;
    try {
      decoded(bytesOf(bytesHex));
    } catch (error) {
      refusal = error;
    }
    expect(isDomainError(refusal, 'runner_protocol')).toBe(true);
  });
});

describe('a host and a runner of another protocol', () => {
  it.each(fromHost.filter(({ protocol, kind }) => protocol === 2 || kind === 'commit'))(
    'a runner of protocol 1 hears nothing that it does not know: $name',
    async (vector) => {
      const runner = new Runner(1, (requestId) => encodeJsonMessage(MESSAGE.result, requestId, {}));
      const channel = await RunnerChannel.open(runner.stream, 'plain');
      const before = runner.received.length;
      const outcome = await sendAsHost(channel, vector).then(
        () => 'done',
        (error: unknown) => (isDomainError(error) ? error.code : error),
      );
      if (vector.protocol === 1) expect(outcome).toBe('done');
      else expect([outcome, runner.received.length]).toEqual(['bad_request', before]);
      await channel.close();
    },
  );

  it('a runner that chooses a protocol which was not offered is not spoken to', async () => {
    await expect(RunnerChannel.open(new Runner(3).stream, 'plain')).rejects.toMatchObject({
      code: 'runner_protocol',
    });
  });
});
