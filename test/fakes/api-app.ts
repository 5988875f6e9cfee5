import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { pino } from 'pino';
import type { MemoryWorld } from './memory-world.js';
import { createApp } from '../../apps/api/src/app.factory.js';
import type { ApiConfig, ApiPorts } from '../../apps/api/src/tokens.js';

export const ADMIN_SECRET = 'the-admin-secret-of-the-tests';
export const ADMIN = { 'x-admin-secret': ADMIN_SECRET };
const CONFIG = {
  adminSecret: ADMIN_SECRET,
  baseImage: 'berth/base:test',
  execWorkflow: { afterMs: 0 },
  idleStopSeconds: null,
};

/** The whole API on the ports of `world`, ready for `inject`. */
export async function startTestApp(
  world: MemoryWorld,
  ports: Partial<ApiPorts> = {},
  config: Partial<ApiConfig> = {},
): Promise<NestFastifyApplication> {
  const log = pino({ level: 'silent' });
  const app = await createApp({ ...world.ports, ...ports }, { ...CONFIG, ...config }, log);
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  return app;
}
