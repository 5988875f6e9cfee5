import { Body, Controller, Get, Inject, Param, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import { Access } from '../auth/access.js';
import { ExecBody, UserExecParams, UserParams } from '../execs/exec.input.js';
import { replayedHeader } from '../execs/execs.answer.js';
import { ExecsService } from '../execs/execs.service.js';
import { accepted } from '../http/answer.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { WaitQuery } from '../http/inputs.js';
import { InlineOutputReader } from '../output/inline-output.js';
import { Rate } from '../rate/rate-policies.js';
import {
  statusUrlOf,
  SuperExecAccepted,
  superExecAccepted,
  SuperExecStatus,
  superExecStatus,
} from './super-exec.view.js';

/** The predecessor's addresses for execs: they translate to the same services as `/v1` and decide nothing. */
@Controller('api/super/users')
export class SuperExecController {
  constructor(
    @Inject(ExecsService) private readonly execs: ExecsService,
    @Inject(InlineOutputReader) private readonly inline: InlineOutputReader,
  ) {}

  @Post(':userId/exec')
  @Access('admin')
  @Rate('exec')
  @Describe({
    tag: 'super',
    summary: "Run a command in the user's sandbox named `default`",
    answers: { 202: SuperExecAccepted },
  })
  async create(
    @CurrentCall() call: Call,
    @Param({ schema: UserParams }) { userId }: z.infer<typeof UserParams>,
    @Body({ schema: ExecBody }) body: ExecBody,
    @Query({ schema: WaitQuery }) { wait }: z.infer<typeof WaitQuery>,
  ) {
    const { exec, replayed } = await this.execs.createForOwner(call, userId, body, wait);
    return accepted(superExecAccepted(exec), { location: statusUrlOf(exec), ...replayedHeader(replayed) });
  }

  @Get(':userId/exec/:execId/status')
  @Access('admin')
  @Rate('read')
  @Describe({
    tag: 'super',
    summary: "The state and the output of a user's exec",
    answers: { 200: SuperExecStatus },
  })
  async status(
    @CurrentCall() call: Call,
    @Param({ schema: UserExecParams }) { userId, execId }: z.infer<typeof UserExecParams>,
    @Query({ schema: WaitQuery }) { wait }: z.infer<typeof WaitQuery>,
  ) {
    const exec = await this.execs.getOfOwner(call, userId, execId, wait);
    return superExecStatus(exec, await this.inline.read(exec));
  }
}
