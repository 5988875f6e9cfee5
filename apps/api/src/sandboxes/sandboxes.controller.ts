import { Body, Controller, Get, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import { Access } from '../auth/access.js';
import { ExecBody, SandboxExecsQuery, SandboxParams } from '../execs/exec.input.js';
import { ExecPage, execPage, ExecView } from '../execs/exec.view.js';
import { createdExecAnswer } from '../execs/execs.answer.js';
import { ExecsService } from '../execs/execs.service.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { WaitQuery } from '../http/inputs.js';
import { Rate } from '../rate/rate-policies.js';
import { SandboxBody, SandboxesQuery, SettingsBody } from './sandbox.input.js';
import { SandboxPage, sandboxPage, SandboxView, SandboxWithOperation } from './sandbox.view.js';
import { sandboxAnswer, settledAnswer } from './sandboxes.answer.js';
import { SandboxesService } from './sandboxes.service.js';

@Controller('v1/sandboxes')
export class SandboxesController {
  constructor(
    @Inject(SandboxesService) private readonly sandboxes: SandboxesService,
    @Inject(ExecsService) private readonly execs: ExecsService,
  ) {}

  @Post()
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'sandboxes',
    summary: 'Make and start a sandbox, or find the one that has this name',
    answers: { 200: SandboxWithOperation, 202: SandboxWithOperation },
  })
  async create(
    @CurrentCall() call: Call,
    @Body({ schema: SandboxBody }) body: SandboxBody,
    @Query({ schema: WaitQuery }) { wait }: z.infer<typeof WaitQuery>,
  ) {
    return sandboxAnswer(await this.sandboxes.create(call, body, wait));
  }

  @Get()
  @Access('admin')
  @Rate('read')
  @Describe({ tag: 'sandboxes', summary: 'List sandboxes, newest first', answers: { 200: SandboxPage } })
  async list(@CurrentCall() call: Call, @Query({ schema: SandboxesQuery }) query: SandboxesQuery) {
    return sandboxPage(await this.sandboxes.list(call, query));
  }

  @Get(':sandboxId')
  @Access('admin')
  @Rate('read')
  @Describe({ tag: 'sandboxes', summary: 'Get a sandbox', answers: { 200: SandboxView } })
  async get(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) params: z.infer<typeof SandboxParams>,
  ) {
    return settledAnswer(await this.sandboxes.get(call, params.sandboxId));
  }

  @Patch(':sandboxId')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'sandboxes',
    summary: 'Change the settings of a sandbox; with `If-Match` only if nobody has changed them since',
    answers: { 200: SandboxView },
  })
  async configure(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) params: z.infer<typeof SandboxParams>,
    @Body({ schema: SettingsBody }) body: SettingsBody,
  ) {
    return settledAnswer(await this.sandboxes.configure(call, params.sandboxId, body));
  }

  @Post(':sandboxId/execs')
  @Access('admin')
  @Rate('exec')
  @Describe({
    tag: 'execs',
    summary: 'Run a command; a sandbox that does not run is started first',
    answers: { 202: ExecView },
  })
  async createExec(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) params: z.infer<typeof SandboxParams>,
    @Body({ schema: ExecBody }) body: ExecBody,
    @Query({ schema: WaitQuery }) { wait }: z.infer<typeof WaitQuery>,
  ) {
    return createdExecAnswer(await this.execs.create(call, params.sandboxId, body, wait));
  }

  @Get(':sandboxId/execs')
  @Access('admin')
  @Rate('read')
  @Describe({ tag: 'execs', summary: 'List the execs of a sandbox', answers: { 200: ExecPage } })
  async listExecs(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) params: z.infer<typeof SandboxParams>,
    @Query({ schema: SandboxExecsQuery }) query: SandboxExecsQuery,
  ) {
    const page = await this.execs.listInSandbox(call, params.sandboxId, query);
    return execPage(page, await this.execs.queuePositions(page.items));
  }
}
