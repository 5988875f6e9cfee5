import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { isDomainError } from '#domain';
import { Database } from '#postgres';

const RETRY_MS = 500;
const GIVE_UP_AFTER_MS = 120_000;

/** Connects as soon as the database answers; a process that starts before its database waits for it, with a limit. */
export async function connectDatabase(url: string, applicationName: string, log: Logger): Promise<Database> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await Database.connect({
        url,
        applicationName,
        onIdleError: (error) => log.warn({ err: error }, 'An idle database connection was lost.'),
      });
    } catch (error) {
      const away = isDomainError(error, 'dependency_unavailable');
      if (!away || performance.now() - startedAt > GIVE_UP_AFTER_MS) throw error;
      log.warn({ err: error }, 'The database does not answer yet.');
      await delay(RETRY_MS);
    }
  }
}
