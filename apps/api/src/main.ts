import { openAdapters } from './adapters.js';
import { createApp } from './app.factory.js';
import { ConfigError, readConfig, type Config } from './config.js';
import { createLog } from './log.js';

/** Open requests, streams and sockets have this long to end after a signal. */
const STOP_DEADLINE_MS = 8_000;
/** Connections that the kernel takes before we do. With Node's 511 a thousand clients at once are reset while we are busy. */
const BACKLOG_CONNECTIONS = 4_096;

async function run(config: Config): Promise<void> {
  const log = createLog(config.logLevel, config.instanceId);
  const adapters = await openAdapters(config, log);
  const app = await createApp(adapters.ports, config, log, () => adapters.close());
  app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log.info({ signal }, 'The API stops.');
      setTimeout(() => {
        log.warn({}, 'Some requests did not end in time and are cut.');
        process.exit(0);
      }, STOP_DEADLINE_MS).unref();
    });
  }
  await app.listen({ port: config.port, host: config.host, backlog: BACKLOG_CONNECTIONS });
  log.info({ url: await app.getUrl() }, 'The API is up.');
}

try {
  await run(readConfig());
} catch (error) {
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  else createLog('info', 'api').fatal({ err: error }, 'The API could not start.');
  process.exit(1);
}
