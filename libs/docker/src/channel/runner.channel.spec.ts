import { Duplex } from 'node:stream';
import type { FollowEvent } from '#domain';
import { encodeJsonMessage, encodeMessage, MessageDecoder } from './channel.codec.js';
import { MESSAGE, type ChannelMessage } from './channel.protocol.js';
import { RunnerChannel } from './runner.channel.js';

const HELLO = { protocol: 1, version: 'test', bootId: 'boot', epoch: 1, mode: 'init' };
const EXEC_ID = '0198c5a2-7b1e-7c3d-9f4e-0123456789ab';
const never = new AbortController().signal;

/** The other end of a channel, which says what a test wants it to say. */
class ScriptedRunner {
  readonly received: ChannelMessage[] = [];
  readonly stream: Duplex;
  private readonly decoder = new MessageDecoder((message) => {
    this.received.push(message);
    if (message.type === MESSAGE.hello)
      this.say(encodeJsonMessage(MESSAGE.helloOk, message.requestId, HELLO));
    else this.script(message, this);
  });

  constructor(private readonly script: (message: ChannelMessage, runner: ScriptedRunner) => void) {
    this.stream = new Duplex({
      read: () => undefined,
      write: (bytes: Uint8Array, _encoding, done) => {
        this.decoder.push(bytes);
        done();
      },
    });
  }

  say(bytes: Uint8Array): void {
    this.stream.push(bytes);
  }

  data(requestId: number, position: number, bytes: number): void {
    const payload = new Uint8Array(8 + bytes);
    new DataView(payload.buffer).setUint32(4, position);
    this.say(encodeMessage(MESSAGE.data, requestId, payload));
  }
}

async function open(script: (message: ChannelMessage, runner: ScriptedRunner) => void) {
  const runner = new ScriptedRunner(script);
  return { runner, channel: await RunnerChannel.open(runner.stream, 'plain') };
}

async function all(events: AsyncIterable<FollowEvent>): Promise<FollowEvent[]> {
  const got: FollowEvent[] = [];
  for await (const event of events) got.push(event);
  return got;
}

describe('a runner channel', () => {
  it('greets, asks and answers', async () => {
    const { channel } = await open(({ requestId }, runner) =>
      runner.say(encodeJsonMessage(MESSAGE.result, requestId, { state: 'running' })),
    );
    expect(channel.hello).toMatchObject({ version: 'test', mode: 'init' });
    await expect(channel.start({ execId: EXEC_ID, argv: ['true'] })).resolves.toEqual({ state: 'running' });
    await channel.close();
    await expect(channel.closed).resolves.toBeUndefined();
  });

  it.each([
    ['resource_exhausted', 'dependency_unavailable'],
    ['disk_full', 'disk_pressure'],
    ['internal', 'runner_unreachable'],
    ['something_new', 'runner_protocol'],
  ])('gives the refusal %s the code %s', async (runnerCode, code) => {
    const { channel } = await open(({ requestId }, runner) =>
      runner.say(encodeJsonMessage(MESSAGE.error, requestId, { code: runnerCode, message: 'no' })),
    );
    await expect(channel.status(EXEC_ID)).rejects.toMatchObject({ code, extra: { runnerCode } });
    await channel.close();
  });

  it('gives everything that waits a typed error when the channel is cut', async () => {
    const { channel, runner } = await open((message) => {
      if (message.type === MESSAGE.forget) runner.stream.destroy();
    });
    const pending = [
      channel.status(EXEC_ID),
      all(channel.follow(EXEC_ID, 0, never)),
      channel.forget(EXEC_ID),
    ];
    for (const result of await Promise.allSettled(pending)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'runner_unreachable' } });
    }
    await expect(channel.closed).resolves.toMatchObject({ code: 'runner_unreachable' });
    await expect(channel.status(EXEC_ID)).rejects.toMatchObject({ code: 'runner_unreachable' });
  });

  it('does not take the words of an engine for those of a runner', async () => {
    const engine = new Duplex({ read: () => undefined, write: (_bytes, _encoding, done) => done() });
    const opening = RunnerChannel.open(engine, 'plain');
    engine.push('timed out waiting for server handshake: unavailable\r\n');
    await expect(opening).rejects.toMatchObject({ code: 'runner_unreachable' });
  });

  it('knows a runner that breaks the protocol', async () => {
    const { channel, runner } = await open(() => undefined);
    const asking = channel.status(EXEC_ID);
    runner.say(new TextEncoder().encode('timed out'));
    await expect(asking).rejects.toMatchObject({ code: 'runner_protocol' });
  });

  it('says what the runner said last on standard error', async () => {
    const stream = new Duplex({ read: () => undefined, write: (_bytes, _encoding, done) => done() });
    const opening = RunnerChannel.open(stream, 'docker');
    stream.push(Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 9]), Buffer.from('no socket')]));
    stream.push(null);
    await expect(opening).rejects.toMatchObject({ message: expect.stringContaining('no socket') as string });
  });

  it('follows to the end and gives credit back only for what has been taken', async () => {
    const size = 500_000;
    const { channel, runner } = await open(({ type, requestId }) => {
      if (type !== MESSAGE.follow) return;
      runner.say(encodeJsonMessage(MESSAGE.result, requestId, { firstPosition: 0, endPosition: 3 * size }));
      for (const at of [0, 1, 2]) runner.data(requestId, at * size, size);
      runner.say(
        encodeJsonMessage(MESSAGE.lost, requestId, { endPosition: 3 * size, reason: 'supervisor_died' }),
      );
    });
    const events = await all(channel.follow(EXEC_ID, 0, never));
    expect(events.map((event) => (event.kind === 'frames' ? event.position : event))).toEqual([
      0,
      size,
      2 * size,
      { kind: 'lost', endPosition: 3 * size, reason: 'supervisor_died' },
    ]);
    const credits = runner.received.filter(({ type }) => type === MESSAGE.window);
    expect(credits.map(({ payload }) => Buffer.from(payload).toString())).toEqual([`{"bytes":${2 * size}}`]);
    await channel.close();
  });

  it('stops a follow when the loop is left, and throws the reason of an abort', async () => {
    const { channel, runner } = await open(({ type, requestId }) => {
      if (type === MESSAGE.follow) runner.data(requestId, 0, 100);
    });
    for await (const event of channel.follow(EXEC_ID, 0, never)) {
      expect(event.kind).toBe('frames');
      break;
    }
    expect(runner.received.at(-1)?.type).toBe(MESSAGE.unfollow);
    const stop = new AbortController();
    const following = all(channel.follow(EXEC_ID, 0, stop.signal));
    stop.abort(new RangeError('enough'));
    await expect(following).rejects.toThrow('enough');
    await channel.close();
  });

  it.each<[string, (requestId: number, runner: ScriptedRunner) => void]>([
    ['a gap', (requestId, runner) => runner.data(requestId, 7, 100)],
    ['more than it was asked for', (requestId, runner) => flood(requestId, runner)],
    [
      'an unknown message',
      (requestId, runner) => runner.say(encodeMessage(0xee, requestId, new Uint8Array(1))),
    ],
    ['an answer to nothing', (_, runner) => runner.say(encodeJsonMessage(MESSAGE.result, 999, {}))],
    [
      'a forged record',
      (requestId, runner) =>
        runner.say(
          encodeJsonMessage(MESSAGE.end, requestId, { exitRecord: { execId: EXEC_ID, exitCode: -1 } }),
        ),
    ],
    [
      'a huge message',
      (_, runner) => runner.say(Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0x92, 0, 0, 0, 1])),
    ],
  ])('ends the channel when the runner sends %s', async (_, misbehave) => {
    const { channel, runner } = await open(({ type, requestId }) => {
      if (type === MESSAGE.follow) misbehave(requestId, runner);
    });
    await expect(all(channel.follow(EXEC_ID, 0, never))).rejects.toMatchObject({ code: 'runner_protocol' });
    await expect(channel.closed).resolves.toMatchObject({ code: 'runner_protocol' });
  });

  it('ends the channel when the runner goes on after the end of a follow', async () => {
    const { channel } = await open(({ type, requestId }, runner) => {
      if (type !== MESSAGE.follow) return;
      const lost = { endPosition: 0, reason: 'supervisor_died' };
      for (let time = 0; time < 2; time++) runner.say(encodeJsonMessage(MESSAGE.lost, requestId, lost));
    });
    await expect(all(channel.follow(EXEC_ID, 0, never))).resolves.toHaveLength(1);
    await expect(channel.closed).resolves.toMatchObject({ code: 'runner_protocol' });
  });
});

function flood(requestId: number, runner: ScriptedRunner): void {
  for (let at = 0; at < 10; at++) runner.data(requestId, at * 500_000, 500_000);
}
