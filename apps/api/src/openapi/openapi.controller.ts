import { Controller, Get, Inject } from '@nestjs/common';
import { Access } from '../auth/access.js';
import { Describe } from '../http/describe.js';
import type { RouteTable } from '../http/route-table.js';
import { Rate } from '../rate/rate-policies.js';
import { ROUTES } from '../tokens.js';
import { openApiOf } from './openapi.js';

@Controller()
export class OpenApiController {
  private readonly document: object;

  constructor(@Inject(ROUTES) routes: RouteTable) {
    this.document = openApiOf(routes);
  }

  @Get('openapi.json')
  @Access('anonymous')
  @Rate('open')
  @Describe({ tag: 'health', summary: 'This document', answers: { 200: 'object' } })
  read(): object {
    return this.document;
  }
}
