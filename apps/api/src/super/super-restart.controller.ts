import { Controller, Inject, Param, Post } from '@nestjs/common';
import { z } from 'zod';
import { Access } from '../auth/access.js';
import { UserParams } from '../execs/exec.input.js';
import { accepted } from '../http/answer.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { OperationStateName } from '../operations/operation.input.js';
import { Rate } from '../rate/rate-policies.js';
import { SandboxOperationsService } from '../sandboxes/sandbox-operations.service.js';

const SuperRestartAccepted = z
  .object({
    operationId: z.string(),
    status: OperationStateName,
    pollUrl: z.string(),
    sandboxId: z.string(),
  })
  .meta({ id: 'SuperRestartAccepted' });

/** The predecessor's address for a restart. */
@Controller('api/super/users')
export class SuperRestartController {
  constructor(@Inject(SandboxOperationsService) private readonly operations: SandboxOperationsService) {}

  @Post(':userId/restart-async')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'super',
    summary: "Restart the user's sandbox named `default`",
    answers: { 202: SuperRestartAccepted },
  })
  async restart(
    @CurrentCall() call: Call,
    @Param({ schema: UserParams }) { userId }: z.infer<typeof UserParams>,
  ) {
    const asked = { kind: 'restart', options: {} } as const;
    const { sandbox, operation } = await this.operations.requestForOwner(call, userId, asked);
    if (operation === null) throw new TypeError('A restart is never done already.');
    const pollUrl = `/v1/operations/${operation.id}`;
    return accepted(
      { operationId: operation.id, status: operation.state, pollUrl, sandboxId: sandbox.id },
      { location: pollUrl },
    );
  }
}
