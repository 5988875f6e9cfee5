import { Controller, Get, Headers, Inject, Param, Query } from '@nestjs/common';
import { z } from 'zod';
import { Access } from '../auth/access.js';
import { ExecParams } from '../execs/exec.input.js';
import { Answer } from '../http/answer.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { flagText, integerText } from '../http/inputs.js';
import { Rate } from '../rate/rate-policies.js';
import { OutputService, type OutputAnswer } from './output.service.js';

const OutputQuery = z.strictObject({
  stream: z.enum(['stdout', 'stderr']).default('stdout'),
  from: integerText(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .meta({ description: 'The first byte of the stream to send.' }),
  follow: flagText.optional().meta({ description: 'Go on live until the exec has ended.' }),
});

@Controller('v1/execs')
export class OutputController {
  constructor(@Inject(OutputService) private readonly output: OutputService) {}

  @Get(':execId/output')
  @Access('admin')
  @Rate('read')
  @Describe({
    tag: 'execs',
    summary: 'The raw bytes of one stream; a single `Range` works, `follow` goes on live',
    answers: { 200: 'bytes', 206: 'bytes' },
  })
  async read(
    @CurrentCall() call: Call,
    @Param({ schema: ExecParams }) { execId }: z.infer<typeof ExecParams>,
    @Query({ schema: OutputQuery }) { stream, from, follow }: z.infer<typeof OutputQuery>,
    @Headers('range') range: string | undefined,
  ) {
    const request = { stream, from, follow: follow ?? false, range };
    return outputAnswer(await this.output.read(call, execId, request));
  }
}

function outputAnswer({ exec, totalBytes, status, range, bytes }: OutputAnswer) {
  return new Answer(status, bytes, {
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    'berth-exec-state': exec.state,
    'berth-stream-bytes': String(totalBytes),
    ...(Number.isFinite(range.to) ? { 'content-length': String(range.to - range.from) } : {}),
    ...(status === 206 ? { 'content-range': `bytes ${range.from}-${range.to - 1}/${totalBytes}` } : {}),
  });
}
