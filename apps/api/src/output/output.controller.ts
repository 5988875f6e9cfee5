import { Controller, Get, Headers, Inject, Param, Query } from '@nestjs/common';
import type { z } from 'zod';
import { Access } from '../auth/access.js';
import { ExecParams } from '../execs/exec.input.js';
import { Answer } from '../http/answer.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { Rate } from '../rate/rate-policies.js';
import { EVENT_FORMATS } from './event-format.js';
import { OpenStreams } from './open-streams.js';
import { OutputEventsService, type EventsRequest } from './output-events.service.js';
import { OutputQuery, wantedOutputOf } from './output.input.js';
import { OutputService, type OutputAnswer } from './output.service.js';

@Controller('v1/execs')
export class OutputController {
  constructor(
    @Inject(OutputService) private readonly output: OutputService,
    @Inject(OutputEventsService) private readonly events: OutputEventsService,
    @Inject(OpenStreams) private readonly streams: OpenStreams,
  ) {}

  @Get(':execId/output')
  @Access('admin')
  @Rate('read')
  @Describe({
    tag: 'execs',
    summary:
      'The raw bytes of one stream with `Range`, or both as events (`text/event-stream`, `application/x-ndjson`); stored and live',
    answers: { 200: 'output', 204: 'nothing', 206: 'bytes' },
  })
  async read(
    @CurrentCall() call: Call,
    @Param({ schema: ExecParams }) { execId }: z.infer<typeof ExecParams>,
    @Query({ schema: OutputQuery }) query: OutputQuery,
    @Headers('accept') accept: string | undefined,
    @Headers('range') range: string | undefined,
    @Headers('last-event-id') lastEventId: string | undefined,
  ) {
    const { kind, request } = wantedOutputOf(query, { accept, range, lastEventId });
    this.streams.refuseOneTooMany();
    if (kind === 'events') return await this.eventsAnswer(call, execId, request);
    const answer = await this.output.read(call, execId, request);
    return bytesAnswer({ ...answer, bytes: this.streams.count(answer.bytes, call.signal) });
  }

  private async eventsAnswer(call: Call, execId: string, request: EventsRequest) {
    const stream = await this.events.read(call, execId, request);
    if (stream === undefined) return new Answer(204, undefined);
    return new Answer(200, this.streams.count(stream, call.signal), {
      'content-type': EVENT_FORMATS[request.format].contentType,
      // A proxy that collects an answer before it sends it on would make nothing live any more.
      'x-accel-buffering': 'no',
    });
  }
}

function bytesAnswer({ exec, totalBytes, status, range, bytes }: OutputAnswer) {
  return new Answer(status, bytes, {
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    'berth-exec-state': exec.state,
    'berth-stream-bytes': String(totalBytes),
    ...(Number.isFinite(range.to) ? { 'content-length': String(range.to - range.from) } : {}),
    ...(status === 206 ? { 'content-range': `bytes ${range.from}-${range.to - 1}/${totalBytes}` } : {}),
  });
}
