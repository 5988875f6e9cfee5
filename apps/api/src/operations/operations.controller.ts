import { Body, Controller, Get, Inject, Param, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import { Access } from '../auth/access.js';
import { accepted } from '../http/answer.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { WaitQuery } from '../http/inputs.js';
import { Rate } from '../rate/rate-policies.js';
import { DecisionBody, OperationParams, OperationsQuery, RetryBody } from './operation.input.js';
import { OperationPage, operationPage, OperationView, operationView } from './operation.view.js';
import { OperationsService } from './operations.service.js';

@Controller('v1/operations')
export class OperationsController {
  constructor(@Inject(OperationsService) private readonly operations: OperationsService) {}

  @Get()
  @Access('admin')
  @Rate('read')
  @Describe({ tag: 'operations', summary: 'List operations, newest first', answers: { 200: OperationPage } })
  async list(@CurrentCall() call: Call, @Query({ schema: OperationsQuery }) query: OperationsQuery) {
    return operationPage(await this.operations.list(call, query));
  }

  @Get(':operationId')
  @Access('admin')
  @Rate('read')
  @Describe({
    tag: 'operations',
    summary: 'Get an operation, or wait until it has ended or is parked',
    answers: { 200: OperationView },
  })
  async get(
    @CurrentCall() call: Call,
    @Param({ schema: OperationParams }) params: z.infer<typeof OperationParams>,
    @Query({ schema: WaitQuery }) { wait }: z.infer<typeof WaitQuery>,
  ) {
    return operationView(await this.operations.get(call, params.operationId, wait));
  }

  @Post(':operationId/retry')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'operations',
    summary: 'Run the parked step of an operation again',
    answers: { 202: OperationView },
  })
  async retry(
    @CurrentCall() call: Call,
    @Param({ schema: OperationParams }) params: z.infer<typeof OperationParams>,
    @Body({ schema: RetryBody }) body: RetryBody,
  ) {
    return accepted(operationView(await this.operations.retry(call, params.operationId, body)));
  }

  @Post(':operationId/abort')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'operations',
    summary: 'Give a parked operation up and undo what it did',
    answers: { 202: OperationView },
  })
  async abort(
    @CurrentCall() call: Call,
    @Param({ schema: OperationParams }) params: z.infer<typeof OperationParams>,
    @Body({ schema: DecisionBody }) body: DecisionBody,
  ) {
    return accepted(operationView(await this.operations.abort(call, params.operationId, body)));
  }

  @Post(':operationId/cancel')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'operations',
    summary: 'End a git operation that runs, and undo what it has not finished',
    answers: { 202: OperationView },
  })
  async cancel(
    @CurrentCall() call: Call,
    @Param({ schema: OperationParams }) params: z.infer<typeof OperationParams>,
  ) {
    return accepted(operationView(await this.operations.cancel(call, params.operationId)));
  }
}
