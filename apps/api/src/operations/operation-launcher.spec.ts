import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ADMIN, startTestApp } from '../../../../test/fakes/api-app.js';
import { MemoryWorld } from '../../../../test/fakes/memory-world.js';

let world: MemoryWorld;
let app: NestFastifyApplication;

beforeEach(async () => {
  world = new MemoryWorld();
  app = await startTestApp(world);
});
afterEach(async () => await app.close());

async function statusOfStart(): Promise<number> {
  const payload = { owner: 'u1' };
  return (await app.inject({ method: 'POST', url: '/v1/sandboxes', headers: ADMIN, payload })).statusCode;
}

const states = (): string[] => [...world.operations.rows.values()].map(({ state }) => state);

describe('an operation whose run did not answer to its start', () => {
  it('goes on where the run is there', async () => {
    world.workflows.losesNextAnswer = 'arrived';
    expect(await statusOfStart()).toBe(202);
    expect(states()).toEqual(['pending']);
  });

  it('ends where it is not, and can be asked for again', async () => {
    world.workflows.losesNextAnswer = 'lost';
    expect(await statusOfStart()).toBe(503);
    expect(states()).toEqual(['failed']);
    expect(await statusOfStart()).toBe(202);
    expect(states()).toEqual(['failed', 'pending']);
  });

  it('stays where nobody can say, because another request may have started it', async () => {
    expect(await statusOfStart()).toBe(202);
    world.workflows.away = true;
    expect(await statusOfStart()).toBe(503);
    expect(states()).toEqual(['pending']);
  });
});
