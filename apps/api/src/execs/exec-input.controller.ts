import { Body, Controller, HttpCode, Inject, Param, Post, Put, Query } from '@nestjs/common';
import { z } from 'zod';
import { Access } from '../auth/access.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { Rate } from '../rate/rate-policies.js';
import { ResizeBody, SignalBody, StdinQuery } from './exec-input.input.js';
import { ExecInputService } from './exec-input.service.js';
import { ExecParams } from './exec.input.js';

const StdinView = z
  .object({
    appliedTo: z.int().meta({ description: 'How many bytes of the whole input the command has been given.' }),
    eof: z.boolean(),
  })
  .meta({ id: 'StdinApplied' });

const SignalView = z.object({ processGroup: z.int().nullable() }).meta({ id: 'SignalSent' });
const ResizeView = z.object({ columns: z.int(), rows: z.int() }).meta({ id: 'Resized' });

@Controller('v1/execs')
export class ExecInputController {
  constructor(@Inject(ExecInputService) private readonly input: ExecInputService) {}

  @Put(':execId/stdin')
  @Access('admin')
  @Rate('exec')
  @Describe({
    tag: 'execs',
    summary:
      'Raw bytes of the standard input from `offset` on; each is applied once however often it is sent',
    body: 'bytes',
    answers: { 200: StdinView },
  })
  async write(
    @CurrentCall() call: Call,
    @Param({ schema: ExecParams }) { execId }: z.infer<typeof ExecParams>,
    @Query({ schema: StdinQuery }) { offset, eof, writer, take }: StdinQuery,
    @Body() bytes: unknown,
  ): Promise<z.infer<typeof StdinView>> {
    const { appliedTo, eof: ended } = await this.input.write(call, execId, {
      offset,
      bytes: bytes instanceof Uint8Array ? bytes : new Uint8Array(0),
      eof: eof ?? false,
      writer: writer ?? null,
      take: take ?? false,
    });
    return { appliedTo, eof: ended };
  }

  @Post(':execId/signal')
  @HttpCode(200)
  @Access('admin')
  @Rate('exec')
  @Describe({
    tag: 'execs',
    summary: 'Send a signal to the foreground of the terminal, or to the process group of the command',
    answers: { 200: SignalView },
  })
  async signal(
    @CurrentCall() call: Call,
    @Param({ schema: ExecParams }) { execId }: z.infer<typeof ExecParams>,
    @Body({ schema: SignalBody }) { signal }: z.infer<typeof SignalBody>,
  ): Promise<z.infer<typeof SignalView>> {
    return { processGroup: await this.input.signal(call, execId, signal) };
  }

  @Post(':execId/resize')
  @HttpCode(200)
  @Access('admin')
  @Rate('exec')
  @Describe({ tag: 'execs', summary: 'Tell the terminal its size', answers: { 200: ResizeView } })
  async resize(
    @CurrentCall() call: Call,
    @Param({ schema: ExecParams }) { execId }: z.infer<typeof ExecParams>,
    @Body({ schema: ResizeBody }) { columns, rows, writer }: z.infer<typeof ResizeBody>,
  ): Promise<z.infer<typeof ResizeView>> {
    const size = { columns, rows };
    await this.input.resize(call, execId, { size, writer: writer ?? null });
    return size;
  }
}
