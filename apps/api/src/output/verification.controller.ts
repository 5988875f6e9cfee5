import { Controller, Get, Inject, Param } from '@nestjs/common';
import type { z } from 'zod';
import { Access } from '../auth/access.js';
import { ExecParams } from '../execs/exec.input.js';
import { Answer } from '../http/answer.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { Rate } from '../rate/rate-policies.js';
import { VerificationService } from './verification.service.js';
import { VerificationView } from './verification.view.js';

@Controller('v1/execs')
export class VerificationController {
  constructor(@Inject(VerificationService) private readonly verification: VerificationService) {}

  @Get(':execId/verify')
  @Access('admin')
  @Rate('read')
  @Describe({
    tag: 'execs',
    summary:
      'Read everything that is stored of an exec and recompute its hashes; takes as long as reading it',
    answers: { 200: VerificationView },
  })
  async verify(@CurrentCall() call: Call, @Param({ schema: ExecParams }) params: z.infer<typeof ExecParams>) {
    const result = await this.verification.verify(call, params.execId);
    return new Answer(200, result, { 'content-type': 'application/json; charset=utf-8' });
  }
}
