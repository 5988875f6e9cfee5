import { DomainError } from '#domain';
import { HealthService, type HealthProbe } from './health.service.js';

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
