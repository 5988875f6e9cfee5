import { Body, Controller, Delete, Inject, Param, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import { Access } from '../auth/access.js';
import { SandboxParams } from '../execs/exec.input.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { present, WaitQuery } from '../http/inputs.js';
import { Rate } from '../rate/rate-policies.js';
import { ChangeBody, EndingBody, RestartBody, RestoreBody } from './sandbox.input.js';
import { SandboxWithOperation } from './sandbox.view.js';
import { SandboxOperationsService } from './sandbox-operations.service.js';
import { knownSnapshotId } from '../snapshots/snapshot-id.js';
import { sandboxAnswer } from './sandboxes.answer.js';

const ANSWERS = { 200: SandboxWithOperation, 202: SandboxWithOperation };
type Params = z.infer<typeof SandboxParams>;
type Wait = z.infer<typeof WaitQuery>;

/** What brings a sandbox up, down or away. Each answers with the run that does it: 202, or 200 where it is so already. */
@Controller('v1/sandboxes')
export class SandboxOperationsController {
  constructor(@Inject(SandboxOperationsService) private readonly operations: SandboxOperationsService) {}

  @Post(':sandboxId/start')
  @Access('admin')
  @Rate('write')
  @Describe({ tag: 'sandboxes', summary: 'Start a sandbox', answers: ANSWERS })
  async start(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Query({ schema: WaitQuery }) { wait }: Wait,
  ) {
    const asked = { kind: 'start', options: {} } as const;
    return sandboxAnswer(await this.operations.request(call, sandboxId, asked, wait));
  }

  @Post(':sandboxId/stop')
  @Access('admin')
  @Rate('write')
  @Describe({ tag: 'sandboxes', summary: 'Stop a sandbox; its workspace stays', answers: ANSWERS })
  async stop(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Body({ schema: EndingBody }) body: EndingBody,
    @Query({ schema: WaitQuery }) { wait }: Wait,
  ) {
    const asked = { kind: 'stop', options: present(body ?? {}) } as const;
    return sandboxAnswer(await this.operations.request(call, sandboxId, asked, wait));
  }

  @Post(':sandboxId/restart')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'sandboxes',
    summary: 'Restart a sandbox in a new container, whatever state it is in; new execs wait meanwhile',
    answers: ANSWERS,
  })
  async restart(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Body({ schema: RestartBody }) body: RestartBody,
    @Query({ schema: WaitQuery }) { wait }: Wait,
  ) {
    const asked = { kind: 'restart', options: present(body ?? {}) } as const;
    return sandboxAnswer(await this.operations.request(call, sandboxId, asked, wait));
  }

  @Post(':sandboxId/restore')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'sandboxes',
    summary: 'Give a sandbox the workspace of a snapshot in place of its own',
    answers: ANSWERS,
  })
  async restore(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Body({ schema: RestoreBody }) { snapshotId, ...ending }: RestoreBody,
    @Query({ schema: WaitQuery }) { wait }: Wait,
  ) {
    const options = { ...present(ending), snapshotId: knownSnapshotId(snapshotId) };
    return sandboxAnswer(await this.operations.request(call, sandboxId, { kind: 'restore', options }, wait));
  }

  @Post(':sandboxId/change')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'sandboxes',
    summary: 'Give a sandbox another image or tier: a restart, if it runs',
    answers: ANSWERS,
  })
  async change(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Body({ schema: ChangeBody }) body: ChangeBody,
    @Query({ schema: WaitQuery }) { wait }: Wait,
  ) {
    const asked = { kind: 'change', options: present(body) } as const;
    return sandboxAnswer(await this.operations.request(call, sandboxId, asked, wait));
  }

  @Delete(':sandboxId')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'sandboxes',
    summary: 'Delete a sandbox with its workspace; its execs and their output stay readable',
    answers: ANSWERS,
  })
  async delete(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Query({ schema: WaitQuery }) { wait }: Wait,
  ) {
    const asked = { kind: 'delete', options: {} } as const;
    return sandboxAnswer(await this.operations.request(call, sandboxId, asked, wait));
  }
}
