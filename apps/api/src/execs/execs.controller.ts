import { Controller, Get, Inject, Param, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import { Access } from '../auth/access.js';
import { Answer } from '../http/answer.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { WaitQuery } from '../http/inputs.js';
import { Rate } from '../rate/rate-policies.js';
import { ExecParams, ExecsQuery } from './exec.input.js';
import { ExecPage, execPage, ExecView, execView } from './exec.view.js';
import { ExecsService } from './execs.service.js';

@Controller('v1/execs')
export class ExecsController {
  constructor(@Inject(ExecsService) private readonly execs: ExecsService) {}

  @Get()
  @Access('admin')
  @Rate('read')
  @Describe({ tag: 'execs', summary: 'List execs, newest first', answers: { 200: ExecPage } })
  async list(@CurrentCall() call: Call, @Query({ schema: ExecsQuery }) query: ExecsQuery) {
    const page = await this.execs.list(call, query);
    return execPage(page, await this.execs.queuePositions(page.items));
  }

  @Get(':execId')
  @Access('admin')
  @Rate('read')
  @Describe({
    tag: 'execs',
    summary: 'Get an exec, or wait until it has ended',
    answers: { 200: ExecView },
  })
  async get(
    @CurrentCall() call: Call,
    @Param({ schema: ExecParams }) params: z.infer<typeof ExecParams>,
    @Query({ schema: WaitQuery }) { wait }: z.infer<typeof WaitQuery>,
  ) {
    const exec = await this.execs.get(call, params.execId, wait);
    return execView(exec, (await this.execs.queuePositions([exec])).get(exec.id) ?? null);
  }

  @Post(':execId/cancel')
  @Access('admin')
  @Rate('exec')
  @Describe({
    tag: 'execs',
    summary: 'End the whole process tree of an exec; safe to repeat',
    answers: { 200: ExecView, 202: ExecView },
  })
  async cancel(@CurrentCall() call: Call, @Param({ schema: ExecParams }) params: z.infer<typeof ExecParams>) {
    const { exec, ended } = await this.execs.cancel(call, params.execId);
    return new Answer(ended ? 200 : 202, execView(exec), { location: `/v1/execs/${exec.id}` });
  }
}
