import { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError, EXEC_TRANSITIONS, isTerminal, type Exec, type OutputSource } from '#domain';
import { ExecsService } from '../execs/execs.service.js';
import type { Call } from '../http/call.js';
import { OUTPUT_SOURCE } from '../tokens.js';
import { Draining } from '../waiting/draining.js';
import {
  endEvent,
  EVENT_FORMATS,
  outputEvent,
  stateEvent,
  type DataEncoding,
  type EventFormat,
} from './event-format.js';
import { ExecReader, type ReaderEvent } from './exec-reader.js';
import { placedFramesOf, streamOffsetsAt, type PlacedFrame } from './frame-position.js';
import { withKeepAlive } from './keep-alive.js';
import type { OutputStream } from './stream-slices.js';

const BUFFERED_BYTES_MAX = 64 * 1_024;

export interface EventsRequest {
  readonly format: EventFormat;
  readonly stream: OutputStream | 'both';
  /** The position after the last frame that the client has dealt with. */
  readonly after: number;
  /** The client has also seen the end. */
  readonly afterEnd: boolean;
  readonly follow: boolean;
  readonly encoding: DataEncoding;
}

/** The states and the output of an exec in the order of its spool, each frame with its time and its position. */
@Injectable()
export class OutputEventsService {
  constructor(
    @Inject(ExecsService) private readonly execs: ExecsService,
    @Inject(OUTPUT_SOURCE) private readonly output: OutputSource,
    @Inject(ExecReader) private readonly reader: ExecReader,
    @Inject(Draining) private readonly draining: Draining,
  ) {}

  /** Undefined where there is nothing more to say: the client has seen the end. */
  async read(call: Call, id: string, request: EventsRequest): Promise<Readable | undefined> {
    const exec = await this.execs.get(call, id, 0);
    if (request.afterEnd && isTerminal(EXEC_TRANSITIONS, exec.state)) return undefined;
    await this.refuseNoPosition(exec, request.after);
    const signal = AbortSignal.any([call.signal, this.draining.signal]);
    const events = this.reader.read(exec.id, {
      of: 'frames',
      from: request.after,
      follow: request.follow,
      signal,
    });
    const { keepAlive } = EVENT_FORMATS[request.format];
    const texts = textsOf(events, request);
    const kept = keepAlive === undefined ? texts : withKeepAlive(texts, keepAlive, signal);
    return Readable.from(uncut(kept, signal), { objectMode: false, highWaterMark: BUFFERED_BYTES_MAX });
  }

  private async refuseNoPosition(exec: Exec, after: number): Promise<void> {
    if ((await streamOffsetsAt(this.output, exec, after)) !== undefined) return;
    throw new DomainError('position_invalid', 'No frame of this exec ends at this position.', {
      pointer: '/after',
      extra: { committedPosition: exec.committedPosition },
    });
  }
}

async function* textsOf(
  events: AsyncIterable<ReaderEvent>,
  { format, stream, after, encoding }: EventsRequest,
): AsyncGenerator<string> {
  if (EVENT_FORMATS[format].opening !== '') yield EVENT_FORMATS[format].opening;
  let position = after;
  for await (const event of events) {
    if (event.kind === 'state') yield stateEvent(format, position, event.exec);
    if (event.kind === 'end') yield endEvent(format, position, event.exec);
    if (event.kind !== 'chunk') continue;
    for (const placed of placedFramesOf(event.chunk, event.from)) {
      position = placed.positionAfter;
      if (isWanted(placed, stream)) yield* outputEvent(format, placed, encoding);
    }
  }
}

/** The output of a terminal counts as stdout. */
function isWanted({ frame }: PlacedFrame, stream: EventsRequest['stream']): boolean {
  return stream === 'both' || (frame.stream === 'stderr') === (stream === 'stderr');
}

/** What was cut must not look complete: the connection breaks, and the client comes again with its position. */
async function* uncut(texts: AsyncIterable<string>, signal: AbortSignal): AsyncGenerator<string> {
  yield* texts;
  if (signal.aborted) throw new Error('The output was cut before its end.');
}
