import { Controller, Delete, Get, Inject, Param, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import { Access } from '../auth/access.js';
import { SandboxParams } from '../execs/exec.input.js';
import { Answer } from '../http/answer.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { WaitQuery } from '../http/inputs.js';
import { Rate } from '../rate/rate-policies.js';
import { SandboxWithOperation } from '../sandboxes/sandbox.view.js';
import { sandboxAnswer } from '../sandboxes/sandboxes.answer.js';
import { SnapshotParams, SnapshotsQuery } from './snapshot.input.js';
import { SnapshotPage, snapshotPage, SnapshotView, snapshotView } from './snapshot.view.js';
import { SnapshotsService } from './snapshots.service.js';

@Controller('v1')
export class SnapshotsController {
  constructor(@Inject(SnapshotsService) private readonly snapshots: SnapshotsService) {}

  @Post('sandboxes/:sandboxId/snapshot')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'snapshots',
    summary: 'Take a snapshot of the workspace; what runs goes on meanwhile',
    answers: { 202: SandboxWithOperation },
  })
  async create(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: z.infer<typeof SandboxParams>,
    @Query({ schema: WaitQuery }) { wait }: z.infer<typeof WaitQuery>,
  ) {
    return sandboxAnswer(await this.snapshots.create(call, sandboxId, wait));
  }

  @Get('sandboxes/:sandboxId/snapshots')
  @Access('admin')
  @Rate('read')
  @Describe({
    tag: 'snapshots',
    summary: 'List the snapshots of a sandbox, newest first, also of one that is deleted',
    answers: { 200: SnapshotPage },
  })
  async list(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: z.infer<typeof SandboxParams>,
    @Query({ schema: SnapshotsQuery }) query: SnapshotsQuery,
  ) {
    return snapshotPage(await this.snapshots.list(call, sandboxId, query));
  }

  @Get('snapshots/:snapshotId')
  @Access('admin')
  @Rate('read')
  @Describe({ tag: 'snapshots', summary: 'Get a snapshot', answers: { 200: SnapshotView } })
  async get(
    @CurrentCall() call: Call,
    @Param({ schema: SnapshotParams }) { snapshotId }: z.infer<typeof SnapshotParams>,
  ) {
    return snapshotView(await this.snapshots.get(call, snapshotId));
  }

  @Delete('snapshots/:snapshotId')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'snapshots',
    summary: 'Delete a snapshot that no operation needs',
    answers: { 204: 'nothing' },
  })
  async delete(
    @CurrentCall() call: Call,
    @Param({ schema: SnapshotParams }) { snapshotId }: z.infer<typeof SnapshotParams>,
  ) {
    await this.snapshots.delete(call, snapshotId);
    return new Answer(204, undefined);
  }
}
