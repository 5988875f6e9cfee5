import { Controller, Get, Inject } from '@nestjs/common';
import { z } from 'zod';
import { Access } from '../auth/access.js';
import { Answer } from '../http/answer.js';
import { Describe } from '../http/describe.js';
import { Rate } from '../rate/rate-policies.js';
import { HealthService } from './health.service.js';

const HealthView = z
  .object({
    status: z.enum(['up', 'degraded']),
    ready: z.boolean(),
    dependencies: z.record(
      z.string(),
      z.object({
        state: z.enum(['up', 'degraded', 'down']),
        latencyMs: z.number(),
        detail: z.string(),
      }),
    ),
  })
  .meta({ id: 'Health' });

const Liveness = z.object({ status: z.enum(['up']) }).meta({ id: 'Liveness' });

@Controller('health')
export class HealthController {
  constructor(@Inject(HealthService) private readonly service: HealthService) {}

  @Get()
  @Access('anonymous')
  @Rate('open')
  @Describe({
    tag: 'health',
    summary: 'The state of each dependency; 200 as long as the API lives',
    answers: { 200: HealthView },
  })
  async health() {
    return await this.service.check();
  }

  @Get('live')
  @Access('anonymous')
  @Rate('open')
  @Describe({ tag: 'health', summary: 'The process lives', answers: { 200: Liveness } })
  live(): z.infer<typeof Liveness> {
    return { status: 'up' };
  }

  @Get('ready')
  @Access('anonymous')
  @Rate('open')
  @Describe({
    tag: 'health',
    summary: 'Work can be taken: 503 until Postgres, Temporal and a host answer',
    answers: { 200: HealthView, 503: HealthView },
  })
  async ready() {
    const health = await this.service.check();
    return health.ready ? health : new Answer(503, health, { 'retry-after': '1' });
  }
}
