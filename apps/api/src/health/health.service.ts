import { Inject, Injectable } from '@nestjs/common';
import { isDomainError } from '#domain';
import { HEALTH_PROBES } from '../tokens.js';
import type { HealthProbe, ProbeResult } from './health-probe.js';

const PROBE_DEADLINE_MS = 1_000;
const CACHE_MS = 1_000;

export interface DependencyHealth extends ProbeResult {
  readonly latencyMs: number;
}

export interface Health {
  readonly status: 'up' | 'degraded';
  readonly ready: boolean;
  readonly dependencies: Readonly<Record<string, DependencyHealth>>;
}

/** Asks each dependency at most once a second, and waits for none longer than a second. */
@Injectable()
export class HealthService {
  private last: { readonly at: number; readonly health: Promise<Health> } | undefined;

  constructor(@Inject(HEALTH_PROBES) private readonly probes: readonly HealthProbe[]) {}

  async check(): Promise<Health> {
    const now = performance.now();
    if (this.last === undefined || now - this.last.at > CACHE_MS) {
      this.last = { at: now, health: this.probeAll() };
    }
    return await this.last.health;
  }

  private async probeAll(): Promise<Health> {
    const results = await Promise.all(
      this.probes.map(async (probe) => ({ probe, seen: await timed(probe) })),
    );
    return {
      status: results.every(({ seen }) => seen.state === 'up') ? 'up' : 'degraded',
      ready: results.every(({ probe, seen }) => !probe.neededForReady || seen.state !== 'down'),
      dependencies: Object.fromEntries(results.map(({ probe, seen }) => [probe.name, seen])),
    };
  }
}

async function timed(probe: HealthProbe): Promise<DependencyHealth> {
  const startedAt = performance.now();
  const result = await checkWithDeadline(probe);
  return { ...result, latencyMs: Math.round(performance.now() - startedAt) };
}

async function checkWithDeadline(probe: HealthProbe): Promise<ProbeResult> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<ProbeResult>((resolve) => {
    timer = setTimeout(
      () => resolve({ state: 'down', detail: `No answer within ${PROBE_DEADLINE_MS} ms.` }),
      PROBE_DEADLINE_MS,
    );
  });
  try {
    return await Promise.race([probe.check(), deadline]);
  } catch (error) {
    return { state: 'down', detail: isDomainError(error) ? error.message : 'It does not answer.' };
  } finally {
    clearTimeout(timer);
  }
}
