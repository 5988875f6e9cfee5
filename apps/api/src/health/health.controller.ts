import { Controller, Get, Inject } from '@nestjs/common';
import { z } from 'zod';
import { Access } from '../auth/access.js';
import { Answer } from '../http/answer.js';
import { Describe } from '../http/describe.js';
import { Rate } from '../rate/rate-policies.js';
import { HealthService, type Health } from './health.service.js';
import { METRICS_TYPE, metricsOf } from './metrics.js';

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

@Controller()
export class HealthController {
  constructor(@Inject(HealthService) private readonly service: HealthService) {}

  @Get('health')
  @Access('anonymous')
  @Rate('open')
  @Describe({
    tag: 'health',
    summary: 'The state of each dependency; 200 as long as the API lives',
    answers: { 200: HealthView },
  })
  async health() {
    return healthView(await this.service.check());
  }

  @Get('health/live')
  @Access('anonymous')
  @Rate('open')
  @Describe({ tag: 'health', summary: 'The process lives', answers: { 200: Liveness } })
  live(): z.infer<typeof Liveness> {
    return { status: 'up' };
  }

  @Get('health/ready')
  @Access('anonymous')
  @Rate('open')
  @Describe({
    tag: 'health',
    summary: 'Work can be taken: 503 until Postgres, Temporal and a host answer',
    answers: { 200: HealthView, 503: HealthView },
  })
  async ready() {
    const health = healthView(await this.service.check());
    return health.ready ? health : new Answer(503, health, { 'retry-after': '1' });
  }

  @Get('metrics')
  @Access('admin')
  @Rate('open')
  @Describe({
    tag: 'health',
    summary: 'The same for Prometheus, with what waits to be sealed',
    answers: { 200: 'text' },
  })
  async metrics() {
    return new Answer(200, metricsOf(await this.service.check()), { 'content-type': METRICS_TYPE });
  }
}

function healthView({ status, ready, dependencies }: Health): z.infer<typeof HealthView> {
  const shown = Object.entries(dependencies).map(
    ([name, { state, detail, latencyMs }]) => [name, { state, detail, latencyMs }] as const,
  );
  return { status, ready, dependencies: Object.fromEntries(shown) };
}
