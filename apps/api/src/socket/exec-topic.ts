import { DomainError, parseExecId, type Exec } from '#domain';
import { execView } from '../execs/exec.view.js';
import { placedFramesOf, streamOffsetsAt, textFrom, type PlacedFrame } from '../output/frame-position.js';
import { countsAs, type OutputStream } from '../output/stream-slices.js';
import type { OutgoingBytes } from './outbox.js';
import { encodeOutput } from './output-message.js';
import type { OpenedTopic, Subscription, TopicSources } from './subscription.js';

/** States as JSON and output as it is committed, from `after` to the end. */
export async function openExecTopic(sources: TopicSources, subscription: Subscription): Promise<OpenedTopic> {
  const id = parseExecId(subscription.topicId);
  const exec = id && (await sources.execs.find(subscription.tenantId, id));
  if (!exec) throw new DomainError('not_found', 'There is no such exec.');
  const { after, encoding } = subscription.request;
  const offsets = await streamOffsetsAt(sources.output, exec, after);
  if (offsets === undefined) {
    throw new DomainError('position_invalid', 'No frame of this exec ends at this position.', {
      pointer: '/after',
      extra: { committedPosition: exec.committedPosition },
    });
  }
  const encode =
    encoding === 'binary' ? binaryOf(subscription) : await textOf(sources, subscription, exec, offsets);
  return {
    ack: { position: after, committedPosition: exec.committedPosition, state: exec.state },
    run: async () => await send(sources, subscription, exec, encode),
  };
}

interface Encoder {
  /** Undefined where there is nothing to show yet. */
  message(placed: PlacedFrame): object | OutgoingBytes | undefined;
  /** Text that no further byte will complete. */
  rest(): Readonly<Record<string, string>>;
}

async function send(
  { reader }: TopicSources,
  subscription: Subscription,
  exec: Exec,
  encoder: Encoder,
): Promise<void> {
  const { outbox, request, signal } = subscription;
  const events = reader.read(exec.id, {
    of: 'frames',
    from: request.after,
    follow: true,
    signal,
    turn: async () => await outbox.turn(),
    onOutage: (error) => subscription.onOutage(error),
  });
  let position = request.after;
  for await (const event of events) {
    if (event.kind === 'state') outbox.send(stateEvent(request.id, position, event.exec));
    if (event.kind === 'end') outbox.send(endMessage(request.id, position, event.exec, encoder.rest()));
    if (event.kind !== 'chunk') continue;
    for (const placed of placedFramesOf(event.chunk, event.from)) {
      await outbox.room();
      if (signal.aborted) return;
      const message = encoder.message(placed);
      if (message) outbox.send(message);
      position = placed.positionAfter;
    }
  }
}

const stateEvent = (id: string, position: number, exec: Exec): object => ({
  t: 'ev',
  id,
  kind: 'state',
  state: exec.state,
  position,
  exec: execView(exec),
});

const endMessage = (
  id: string,
  position: number,
  exec: Exec,
  rest: Readonly<Record<string, string>>,
): object => ({
  t: 'end',
  id,
  state: exec.state,
  exitCode: exec.exitCode,
  signal: exec.signal,
  position,
  ...(Object.keys(rest).length === 0 ? {} : { rest }),
  exec: execView(exec),
});

function binaryOf({ number }: Subscription): Encoder {
  return { message: (placed) => encodeOutput(number, placed), rest: () => ({}) };
}

async function textOf(
  { output }: TopicSources,
  { request }: Subscription,
  exec: Exec,
  offsets: Readonly<Record<OutputStream, number>>,
): Promise<Encoder> {
  const pieces = {
    stdout: await textFrom(output, exec, 'stdout', offsets.stdout),
    stderr: await textFrom(output, exec, 'stderr', offsets.stderr),
  };
  return {
    message: ({ frame, positionAfter }) => {
      const data = pieces[countsAs(frame.stream)].push(frame.payload);
      if (data === '') return undefined;
      const { stream, offset, timeMicros } = frame;
      return {
        t: 'ev',
        id: request.id,
        kind: 'output',
        stream,
        position: positionAfter,
        offset,
        timeMicros,
        data,
      };
    },
    rest: () =>
      Object.fromEntries(
        Object.entries(pieces)
          .map(([stream, text]) => [stream, text.end()] as const)
          .filter(([, text]) => text !== ''),
      ),
  };
}
