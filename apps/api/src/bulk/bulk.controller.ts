import { Body, Controller, Get, Inject, Param, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import { Access } from '../auth/access.js';
import { accepted, Answer } from '../http/answer.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { present, WaitQuery } from '../http/inputs.js';
import { Rate } from '../rate/rate-policies.js';
import {
  BulkBody,
  BulkItemsQuery,
  BulkParams,
  BulksQuery,
  ResumeBody,
  RetryFailedBody,
} from './bulk.input.js';
import { BulkService } from './bulk.service.js';
import {
  BulkDryRun,
  bulkItemPage,
  BulkItemPage,
  bulkPage,
  BulkPage,
  bulkPath,
  BulkView,
  bulkView,
  dryRunView,
} from './bulk.view.js';

type Params = z.infer<typeof BulkParams>;

@Controller('v1/bulk-operations')
export class BulkController {
  constructor(@Inject(BulkService) private readonly bulks: BulkService) {}

  @Post()
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'bulk operations',
    summary: 'Restart, stop, start, delete or snapshot many sandboxes, or run a command in each of them',
    answers: { 200: BulkDryRun, 202: BulkView },
  })
  async create(@CurrentCall() call: Call, @Body({ schema: BulkBody }) body: BulkBody) {
    if (body.dryRun === true) return new Answer(200, dryRunView(await this.bulks.select(call, body)));
    const { bulk, replayed } = await this.bulks.create(call, body);
    return accepted(bulkView(bulk), {
      location: bulkPath(bulk.id),
      ...(replayed ? { 'idempotency-replayed': 'true' } : {}),
    });
  }

  @Get()
  @Access('admin')
  @Rate('read')
  @Describe({
    tag: 'bulk operations',
    summary: 'List bulk operations, newest first',
    answers: { 200: BulkPage },
  })
  async list(@CurrentCall() call: Call, @Query({ schema: BulksQuery }) query: BulksQuery) {
    return bulkPage(await this.bulks.list(call, query));
  }

  @Get(':bulkId')
  @Access('admin')
  @Rate('read')
  @Describe({
    tag: 'bulk operations',
    summary: 'Get a bulk operation, or wait until it has ended or is paused',
    answers: { 200: BulkView },
  })
  async get(
    @CurrentCall() call: Call,
    @Param({ schema: BulkParams }) { bulkId }: Params,
    @Query({ schema: WaitQuery }) { wait }: z.infer<typeof WaitQuery>,
  ) {
    return bulkView(await this.bulks.get(call, bulkId, wait));
  }

  @Get(':bulkId/items')
  @Access('admin')
  @Rate('read')
  @Describe({
    tag: 'bulk operations',
    summary: 'List what became of each sandbox, in the order in which they begin',
    answers: { 200: BulkItemPage },
  })
  async items(
    @CurrentCall() call: Call,
    @Param({ schema: BulkParams }) { bulkId }: Params,
    @Query({ schema: BulkItemsQuery }) query: BulkItemsQuery,
  ) {
    return bulkItemPage(await this.bulks.items(call, bulkId, query));
  }

  @Post(':bulkId/pause')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'bulk operations',
    summary: 'Begin nothing more until it is resumed; what runs goes on',
    answers: { 202: BulkView },
  })
  async pause(@CurrentCall() call: Call, @Param({ schema: BulkParams }) { bulkId }: Params) {
    return accepted(bulkView(await this.bulks.control(call, bulkId, { control: 'pause' })));
  }

  @Post(':bulkId/resume')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'bulk operations',
    summary: 'Go on after a pause; earlier failures no longer count against the budget',
    answers: { 202: BulkView },
  })
  async resume(
    @CurrentCall() call: Call,
    @Param({ schema: BulkParams }) { bulkId }: Params,
    @Body({ schema: ResumeBody }) body: ResumeBody,
  ) {
    const asked = { control: 'resume', ...present(body ?? {}) } as const;
    return accepted(bulkView(await this.bulks.control(call, bulkId, asked)));
  }

  @Post(':bulkId/cancel')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'bulk operations',
    summary: 'Cancel what has not begun; what runs ends by itself',
    answers: { 202: BulkView },
  })
  async cancel(@CurrentCall() call: Call, @Param({ schema: BulkParams }) { bulkId }: Params) {
    return accepted(bulkView(await this.bulks.control(call, bulkId, { control: 'cancel' })));
  }

  @Post(':bulkId/retry-failed')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'bulk operations',
    summary: 'Begin those anew that failed or were skipped, all or some',
    answers: { 202: BulkView },
  })
  async retryFailed(
    @CurrentCall() call: Call,
    @Param({ schema: BulkParams }) { bulkId }: Params,
    @Body({ schema: RetryFailedBody }) body: RetryFailedBody,
  ) {
    return accepted(bulkView(await this.bulks.retryFailed(call, bulkId, body)));
  }
}
