import { DomainError, limits } from '#domain';
import type { HealthProbe } from './health-probe.js';
import { HealthService } from './health.service.js';
import { metricsOf } from './metrics.js';
import { sealingLagProbe } from './probes.js';

const up: HealthProbe = {
  name: 'postgres',
  neededForReady: true,
  check: async () => await Promise.resolve({ state: 'up', detail: 'It answers.' }),
};

const down = (change: Partial<HealthProbe>): HealthProbe => ({
  ...up,
  check: async () => await Promise.reject(new DomainError('dependency_unavailable', 'Away.')),
  ...change,
});

describe('the health', () => {
  it('is up when everything is up, and asks once a second', async () => {
    let asked = 0;
    const counting = { ...up, check: async () => await up.check().finally(() => (asked += 1)) };
    const service = new HealthService([counting]);
    await Promise.all([service.check(), service.check()]);
    expect(await service.check()).toMatchObject({ status: 'up', ready: true });
    expect(asked).toBe(1);
  });

  it('is degraded with one that is down, and ready if that one is not needed', async () => {
    const needed = await new HealthService([up, down({ name: 'temporal' })]).check();
    expect(needed).toMatchObject({ status: 'degraded', ready: false });
    expect(needed.dependencies['temporal']).toMatchObject({ state: 'down', detail: 'Away.' });
    const other = await new HealthService([up, down({ name: 's3', neededForReady: false })]).check();
    expect(other).toMatchObject({ status: 'degraded', ready: true });
  });

  it('waits for none longer than a second and shows no cause of a failure', async () => {
    const silent = { ...up, name: 'temporal', check: async () => await new Promise<never>(() => undefined) };
    const leaking = down({ name: 's3', check: async () => await Promise.reject(new Error('password=x')) });
    const health = await new HealthService([silent, leaking]).check();
    expect(health.dependencies['temporal']).toMatchObject({ state: 'down' });
    expect(JSON.stringify(health)).not.toContain('password');
  });
});

describe('the sealing lag', () => {
  const probeOf = (lag: { oldestMs?: number; waiting?: number; liveHotBytes?: number }) =>
    sealingLagProbe({
      lag: async () => await Promise.resolve({ oldestMs: 0, waiting: 0, liveHotBytes: 0, ...lag }),
    });

  it('is an alarm when output has waited for longer than it may, and stops no work', async () => {
    const inTime = new HealthService([probeOf({ waiting: 3, oldestMs: limits.SEALING_LAG_MS_ALARM })]);
    expect(await inTime.check()).toMatchObject({ status: 'up', ready: true });
    const late = new HealthService([probeOf({ waiting: 3, oldestMs: limits.SEALING_LAG_MS_ALARM + 1 })]);
    expect(await late.check()).toMatchObject({
      status: 'degraded',
      ready: true,
      dependencies: { sealingLag: { state: 'degraded' } },
    });
  });

  it('is one, too, when a live exec fills the database', async () => {
    const full = new HealthService([probeOf({ liveHotBytes: limits.SEALING_HOT_BYTES_ALARM + 1 })]);
    expect((await full.check()).dependencies['sealingLag']).toMatchObject({ state: 'degraded' });
  });

  it('is among the metrics', async () => {
    const late = { waiting: 3, oldestMs: 2 * limits.SEALING_LAG_MS_ALARM };
    const text = metricsOf(await new HealthService([up, probeOf(late)]).check());
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([
        'berth_ready 1',
        'berth_dependency_state{dependency="postgres",state="up"} 1',
        'berth_dependency_state{dependency="sealingLag",state="degraded"} 1',
        'berth_dependency_state{dependency="sealingLag",state="up"} 0',
        `berth_sealing_oldest_seconds ${(2 * limits.SEALING_LAG_MS_ALARM) / 1_000}`,
        'berth_sealing_waiting_execs 3',
      ]),
    );
  });
});
